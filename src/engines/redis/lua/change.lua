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

-- Replaces the record of an entry. `stored`: the name under which its large body is stored; '' without one. An entry with a
-- large body keeps it under a key of its own, whatever its size: a process may have read the record and not yet the body.
local function replaceRecord(id, record, fresh, stored)
  call('HSET', keys.entries, id, fresh)
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
  local fresh = sub(rehead(record, nil, nil, nil, sub(head, 1, 1)), 1, RECORD.headSum.to) .. sub(head, 2) .. '\n' .. body
  local why = whyNotChanged(record, fresh, stored)
  if why then return reply(REPLY.failed, why) end
  local before, info = indexInfo(signature), indexInfo(sub(head, 2))
  if transaction ~= '' then
    LATER.hold(transaction, id, record, before)
    replaceRecord(id, record, fresh, stored)
    announceChange(info, id, fresh, transaction, before)
  else
    replaceRecord(id, record, fresh, stored)
    announceChange(info, id, fresh, nil, before)
    if #queuesFor(info, 'read') == 0 and #queuesFor(info, 'take') == 0 then
      reindex(id, before, info, record)
    else
      unindex(id, before, record)
      makeAvailable(id, fresh, info, scoreOf(fresh), '')
    end
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
