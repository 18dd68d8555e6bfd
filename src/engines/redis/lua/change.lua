-- Changes of entries in place, and the removal of all matches. An entry that is changed keeps its id, place and lease.

-- Matches that one call removes: a few ms.
local MOST_CLEARED = 250

-- Returns the entry that is to be changed, and where to continue if the bound on candidates was met. Without a template it
-- is that of the id.
local function asked(after, transaction, template, id)
  if template == '' then return id, LATER.visibleById(id, 'take', transaction), nil end
  local spec = readTemplate(template, 'take')
  spec.tx = transaction
  local hits, on = searchVisible(spec, 1, after ~= '' and after or nil)
  local hit = hits[1] or {}
  return hit[1], hit[2], on
end

-- Returns the code of the error if there is no room for a record in the place of another, or if its large body is gone.
local function whyNotChanged(record, fresh, stored)
  local growth = #fresh - #record
  if stored ~= '' then
    local bytes = call('STRLEN', bodyKey(stored))
    if bytes == 0 then return 'SPACE_UNREACHABLE' end
    growth = growth + bytes
  end
  if growth <= 0 then return counters.moving == PHASE.moved and 'SPACE_FULL' or nil end
  if isFull() or bounded and isTooMuch(0, growth) then return 'SPACE_FULL' end
  growBytes(growth)
end

local MODES = { 'take@', 'read@', 'notify@' }

-- Returns whether anyone waits for entries of these kinds, whatever their fields.
local function isAwaited(info)
  if info.awaitedIn == memory.version then return info.isAwaited end
  local names, missing, isAny = {}, {}, false
  for k = 1, #info.kinds do
    for m = 1, #MODES do
      local name = MODES[m] .. info.kinds[k]
      names[#names + 1] = name
      if not LATER.knownShapes(name) then missing[#missing + 1] = name end
    end
  end
  if #missing > 0 then LATER.readShapes(missing) end
  for j = 1, #names do isAny = isAny or #LATER.knownShapes(names[j]) > 0 end
  info.awaitedIn, info.isAwaited = memory.version, isAny
  return isAny
end

-- Returns whether a change of a free entry touches its record alone: what is indexed is as before, and nobody waits for
-- entries of its kinds. Then neither signature is parsed, which is half of the work.
local function isOfRecordAlone(before, after)
  local stop = find(before, '|;|', 1, true)
  if sub(before, 1, stop + 2) ~= sub(after, 1, stop + 2) then return false end
  if find(before, '|' .. SIGN.order, stop, true) or find(after, '|' .. SIGN.order, stop, true) then return false end
  return not isAwaited(LATER.kindsIn(before))
end

-- Moves a free entry from the indexes of its former contents to those of the new ones. What both have stays.
local function reindex(id, before, info, record)
  local score, had = scoreOf(record), {}
  for j = 1, #before.index do had[before.index[j]] = true end
  for j = 1, #info.index do
    local key = info.index[j]
    if had[key] then had[key] = nil else call('ZADD', key, score, id) end
  end
  for key in pairs(had) do call('ZREM', key, id) end
  if before.ordered then LATER.order.takeOut(before, id, record) end
  if info.ordered then
    LATER.order.add(info, id, score, newIndexed)
    dirty = true
  end
end

-- An entry that matches only since it was changed is visible and available to whoever waits for that.
local function announceChange(info, id, fresh, transaction, before)
  if #queuesFor(info, 'notify') == 0 then return end
  announce(info, id, fresh, TRANSITION.changed, transaction)
  announce(info, id, fresh, TRANSITIONS.ofReturn, transaction, before)
end

-- Puts a free entry into the indexes of its new contents, or hands it to whoever waits for these.
local function serve(id, record, fresh, before, info)
  if #queuesFor(info, 'read') == 0 and #queuesFor(info, 'take') == 0 then return reindex(id, before, info, record) end
  unindex(id, before, record)
  makeAvailable(id, fresh, info, scoreOf(fresh), '')
end

-- Replaces the record of an entry. `stored`: the name under which its large body is stored; '' without one. An entry with a
-- large body keeps it under a key of its own, whatever its size: a process may have read the record and not yet the body.
local function replaceRecord(id, record, fresh, stored)
  call('HSET', keys.entries, id, fresh)
  facts.hidden = nil
  if stored ~= '' then LATER.moveBody(stored, id, sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)) end
end

-- `expected`: the signature of the entry of this id as its changer has seen it. A signature tells all contents. `head`:
-- place and signature of the new contents; `body` begins with its checksum. Replies the end of the lease if the entry was
-- changed, else the entry.
function OPS.change(after, transaction, template, id, expected, head, stored, body)
  if transaction ~= '' and not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  flushRecords()
  local found, record, on = asked(after, transaction, template, id)
  if not record then
    if on then reply(REPLY.more, on) else reply(REPLY.none) end
    return
  end
  local signature = signatureOf(record)
  if found ~= id or signature ~= expected then return reply(REPLY.found, found, '', record) end
  local place, contents = sub(head, 1, 1), sub(head, 2)
  local kept = place == sub(record, RECORD.place.from, RECORD.place.to) and record or rehead(record, nil, nil, nil, place)
  local fresh = sub(kept, 1, RECORD.headSum.to) .. contents .. '\n' .. body
  local why = whyNotChanged(record, fresh, stored)
  if why then return reply(REPLY.failed, why) end
  if transaction ~= '' or not isOfRecordAlone(signature, contents) then
    local info = indexInfo(signature)
    if transaction ~= '' then
      LATER.hold(transaction, id, record, info)
      facts.recheck = true
    end
    replaceRecord(id, record, fresh, stored)
    announceChange(indexInfo(contents), id, fresh, transaction ~= '' and transaction or nil, info)
    if transaction == '' then serve(id, record, fresh, info, indexInfo(contents)) end
  else
    replaceRecord(id, record, fresh, stored)
  end
  reply(REPLY.text, sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to))
end

-- Replies how many matches were removed, a blank, and where to continue; nothing behind the blank if there are no more.
function OPS.clear(after, template)
  local spec = readTemplate(template, 'take')
  spec.tx = ''
  local hits, on = searchVisible(spec, MOST_CLEARED, after ~= '' and after or nil)
  if #hits == MOST_CLEARED then on = LATER.placeIn(spec, hits[MOST_CLEARED][2]) end
  for h = 1, #hits do remove(hits[h][1], hits[h][2]) end
  reply(REPLY.text, textOf(#hits) .. ' ' .. (on or ''))
end
