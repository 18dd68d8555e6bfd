-- Moves a space to other partitions: phases, and batches of entries and session entries that leave one partition and
-- arrive in another (decision 0029).
--
-- A batch is stored in the new partition, where nothing finds it; then what is unchanged and free leaves the old partition,
-- which records its ids in the same call; then these ids appear in the new partition. So an entry is in one place at any
-- time, and whoever finds a batch that did not end can end it: the record of the old partition decides.

-- Entries, session entries and bytes that one call looks at.
local MOVED, MOVED_SESSIONS, MOVED_BYTES = 64, 32, 1048576

local function phaseOf() return tonumber(call('GET', keys.move) or 0) end

-- `phase`: the phase that this process follows, 0 if it knows of no second place; `target`: the partitions that it knows as
-- the new ones. Replies the phase of the move from here, and of that to here.
function OPS.learnPhase(phase, target)
  if phase ~= '0' and call('HGET', ownKeys.presence, 'phase') ~= phase then
    call('HSET', ownKeys.presence, 'phase', phase, 'target', target)
  end
  reply(REPLY.text, textOf(phaseOf()) .. ' ' .. (call('GET', keys.origin) or '0'))
end

-- Sets the phase of the move to here: `arriving` begins one. Replies `none` if it cannot begin, because there are entries.
function OPS.setOrigin(phase)
  flushRecords()
  local known = call('GET', keys.origin)
  if known ~= phase and phase == textOf(PHASE.arriving) then
    if call('EXISTS', keys.entries, keys.sessions) > 0 then return reply(REPLY.none) end
    -- The space may have left here before.
    call('DEL', keys.move, keys.departed)
    counters.moving, countersChanged = nil, true
  end
  call('SET', keys.origin, phase)
  reply(REPLY.done)
end

-- Returns the phase of a move to `target` that a presence follows. Processes of older releases name no target: they know
-- one that has no name alone.
local function phaseFollowed(presence, target)
  local known = call('HMGET', keysOf(presence).presence, 'phase', 'target')
  return (known[2] or '') == target and known[1] or '0'
end

-- Replies the presences that do not follow the phase before `phase`, separated by spaces; if there are none, this is the
-- phase from now on. A later phase stays.
function OPS.setPhase(phase, target)
  local wanted, behind = tonumber(phase), {}
  if wanted > PHASE.joined then
    local all = call('ZRANGE', keys.presences, 0, -1)
    for j = 1, #all do
      if tonumber(phaseFollowed(all[j], target)) < wanted - 1 then behind[#behind + 1] = all[j] end
    end
  end
  if #behind == 0 and wanted > phaseOf() then
    call('SET', keys.move, phase)
    counters.moving = LATER.isMoving()
    countersChanged = true
  end
  reply(REPLY.text, concat(behind, ' '))
end

-- Returns the phase from `moving` on, as the counters have it; nil before. From then on no ticket is opened here, and once
-- the space has moved nothing is written: a process that was away for long may not know.
function LATER.isMoving()
  local phase = phaseOf()
  return phase >= PHASE.moving and phase or nil
end

-- Replies the presences with the phases of a move to `target` that they follow: `presence=phase`, separated by spaces.
function OPS.listPhases(target)
  local all = call('ZRANGE', keys.presences, 0, -1)
  for j = 1, #all do all[j] = all[j] .. '=' .. phaseFollowed(all[j], target) end
  reply(REPLY.text, concat(all, ' '))
end

-- The order of writing goes on above `atLeast`, in steps: each of several new partitions has numbers that no other has, so
-- entries keep them if the space moves again. Replies where the order is.
function OPS.raiseOrder(atLeast, step)
  local order = tonumber(atLeast)
  if order > counters.seq then
    counters.seq, counters.step, countersChanged = order, step ~= '1' and tonumber(step) or nil, true
  end
  reply(REPLY.text, format('%.0f', counters.seq))
end

-- Replies the root kinds with the text of what is indexed there (announceKind), separated by newlines.
function OPS.indexedKinds()
  reply(REPLY.text, concat(call('HGETALL', keys.kinds), '\n'))
end

-- Replies the kinds whose entries have a key with the field that it is, separated by newlines.
function OPS.keyedKinds()
  reply(REPLY.text, concat(call('HGETALL', keys.keyed), '\n'))
end

-- Replies the numbers of entries, session entries, batches that are arriving, and transactions of several partitions that
-- are unfinished.
function OPS.countMovable()
  flushRecords()
  local unfinished = call('ZCARD', keys.prepared) + call('ZCARD', keys.decisions)
  reply(REPLY.text, call('HLEN', keys.entries) .. ' ' .. call('ZCARD', keys.sessions) .. ' ' .. call('HLEN', keys.arriving) .. ' ' .. unfinished)
end

local function isFreeToMove(id, record, info)
  return info.root == KIND.ticket or call('ZSCORE', info.index[1], id) ~= false
end

-- Returns the request of a pending ticket and its record; nil if the ticket is settled, or the request is gone. Returns
-- false if the request is held.
local function requestBeside(record, info)
  if info.root ~= KIND.ticket or info.kinds[1] ~= KIND.pending then return nil end
  local id = LATER.pendingState(record)
  local request = recordOf(id)
  if not request or hasExpired(request) then return nil end
  return isFreeToMove(id, request, indexInfo(signatureOf(request))) and id, request
end

local function movedItem(page, id, record, sign)
  local ends = sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)
  item(page, id, (ends == SHARED.never and '-1' or format('%.0f', tonumber(ends) - now)) .. sign, record)
end

-- Puts an entry on a page if it may be moved. A request goes with its pending ticket.
local function offerToMove(page, id, record)
  local info = indexInfo(signatureOf(record))
  if hasExpired(record) then
    remove(id, record)
    return
  end
  if isRequest(record) then
    -- A process waits for the outcome in this partition.
    if requesterOf(record) ~= SHARED.kept then return end
    local ticket = recordOf(sub(id, 1, (find(id, '.', 1, true) or 1) - 1))
    if ticket and requestBeside(ticket, indexInfo(signatureOf(ticket))) == id then return end
  end
  local request, beside = requestBeside(record, info)
  if request == false or not isFreeToMove(id, record, info) then return end
  movedItem(page, id, record, request and '+' or '')
  if request then movedItem(page, request, beside, '') end
end

-- Replies a page of entries that may be moved, as items with the remaining ms of their leases (-1: for ever), and + if the
-- next item must go with this one. `cursor`: 0 to begin; 0 is replied with the last page.
function OPS.movable(cursor)
  flushRecords()
  local got = call('HSCAN', keys.entries, cursor, 'COUNT', MOVED)
  local page = { nowText }
  for i = 1, #got[2], 2 do
    local record = got[2][i + 1]
    if isSound(record) then offerToMove(page, got[2][i], record) end
  end
  reply(REPLY.page, got[1], concat(page))
end

-- Replies this entry as such a page, if it may be moved.
function OPS.movableEntry(id)
  flushRecords()
  local page, record = { nowText }, recordOf(id)
  if record then offerToMove(page, id, record) end
  reply(REPLY.page, '0', concat(page))
end

-- The same of session entries, except those that are locked.
function OPS.movableSessions(cursor)
  local got = call('ZSCAN', keys.sessions, cursor, 'COUNT', MOVED_SESSIONS)
  local page, bytes = { nowText }, 0
  for i = 1, #got[2], 2 do
    local contents = call('GET', sessionKey(got[2][i]))
    local ends = contents and sub(contents, SESSION_RECORD.expiresAt.from, SESSION_RECORD.expiresAt.to) or nowText
    if ends > nowText and byte(contents, SESSION_RECORD.locked.from) == 32 and bytes < MOVED_BYTES then
      bytes = bytes + #contents
      item(page, got[2][i], ends == SHARED.never and '-1' or format('%.0f', tonumber(ends) - now), contents)
    end
  end
  reply(REPLY.page, got[1], concat(page))
end

-- Stores a batch that is on its way here. Of each entry: the remaining ms of its lease, its id, its record.
function OPS.arrive(batch, from, last)
  local items = {}
  for at = from, last do items[#items + 1] = argv[at] end
  call('HSET', keys.arriving, batch, cmsgpack.pack(items))
  reply(REPLY.done)
end

-- Replies the names of the batches that are on their way here, separated by spaces.
function OPS.arriving() reply(REPLY.text, concat(call('HKEYS', keys.arriving), ' ')) end

-- Returns the record of an entry, or the contents of a session entry, if it is as it was and no process holds it.
local function unchanged(id, digest)
  if byte(id) == SIGN_BYTES.session then
    local contents = call('GET', sessionKey(id))
    return contents and redis.sha1hex(contents) == digest and contents
  end
  local record = recordOf(id)
  local isSame = record and redis.sha1hex(record) == digest and not hasExpired(record)
  return isSame and isFreeToMove(id, record, indexInfo(signatureOf(record))) and record
end

-- Returns the first line of a session entry.
local function headIn(contents) return sub(contents, 1, find(contents, '\n', 1, true) or 0) end

-- Removes an unlocked session entry that moves: it does not end.
local function forgetSession(id, contents)
  local head = headIn(contents)
  growSessions(keys.sessionBytes, -LATER.sessionLine.sizeIn(head))
  call('ZREM', keys.sessions, id)
  call('UNLINK', sessionKey(id))
  if LATER.sessionLine.ownerIn(head) ~= '' then call('SREM', ownedKey(LATER.sessionLine.ownerIn(head)), id) end
end

-- Stores a session entry that has moved, unless one was made here meanwhile.
local function placeSession(id, leaseMs, contents)
  if call('EXISTS', sessionKey(id)) == 1 then return end
  local head = headIn(contents)
  local expiresAt, ends = leaseEndText(leaseMs)
  call('SET', sessionKey(id), LATER.sessionLine.leaseHead(ends, ' ') .. sub(contents, SESSION_RECORD.size.from))
  call('ZADD', keys.sessions, ends, id)
  dueAt(expiresAt)
  if LATER.sessionLine.ownerIn(head) ~= '' then call('SADD', ownedKey(LATER.sessionLine.ownerIn(head)), id) end
  growSessions(keys.sessionBytes, LATER.sessionLine.sizeIn(head))
end

local function leave(id, record)
  if byte(id) == SIGN_BYTES.session then forgetSession(id, record) else remove(id, record) end
end

-- Removes the entries of a batch that are unchanged and free. Of each: the SHA-1 of its record, its id, and + if the next
-- one must go with it. Replies the ids that have left, separated by spaces, also when it is asked again. Without entries
-- the batch does not leave any more.
function OPS.depart(batch, from, last)
  flushRecords()
  local known = call('HGET', keys.departed, batch)
  if not known then
    local left, at = {}, from
    while at <= last do
      local upTo, records = at, {}
      while argv[upTo + 2] == '+' do upTo = upTo + 3 end
      for j = at, upTo, 3 do records[#records + 1] = unchanged(argv[j + 1], argv[j]) or nil end
      if #records == (upTo - at) / 3 + 1 then
        for j = 1, #records do
          left[#left + 1] = argv[at + j * 3 - 2]
          leave(left[#left], records[j])
        end
      end
      at = upTo + 3
    end
    known = concat(left, ' ')
    call('HSET', keys.departed, batch, known)
  end
  reply(REPLY.text, known)
end

-- Returns a record with its order of writing among those of `count` old partitions, of which it comes from the one at
-- `index`; so no two have the same.
local function withOrder(record, index, count)
  if count == 1 then return record end
  local score = tonumber(scoreOf(record))
  local order = (score - SHARED.scoreZero) % SHARED.priorityStep
  if order * count * 2 >= SHARED.priorityStep then return record end
  return sub(record, 1, RECORD.score.from - 1) .. scoreText(score - order + order * count + index) .. sub(record, RECORD.score.to + 1)
end

local function appear(id, leaseMs, record)
  if call('HEXISTS', keys.entries, id) == 1 then return end
  local expiresAt, ends = leaseEndText(leaseMs)
  record = rehead(record, ends)
  call('HSET', keys.entries, id, record)
  sweepLater(id, expiresAt, now)
  if isLarge(record) then
    if leaseMs < 0 then call('PERSIST', bodyKey(id)) else call('PEXPIRE', bodyKey(id), leaseMs + SHARED.bodyGraceMs) end
    if counters.large then countBody(id) end
  end
  local info = indexInfo(signatureOf(record))
  if info.root == KIND.ticket then
    info = LATER.ticketInfo(id, info.text)
    counters.ticketCount = (counters.ticketCount or 0) + 1
    local body = isLarge(record) and call('STRLEN', bodyKey(id)) or 0
    countTicket(#record + SHARED.besideOutcome + body, info.tokens.owner)
    if info.kinds[1] == KIND.pending then return end
  end
  makeAvailable(id, record, info, scoreOf(record), TRANSITIONS.ofReturn)
end

-- Makes those of a batch appear that have left their old partition (`ids`, separated by spaces), and drops the others. The
-- large body of a dropped one may be that of another batch: its time to live ends it. A batch is named `index/count/…`: which
-- of how many old partitions it comes from.
function OPS.land(batch, ids)
  flushRecords()
  local packed = call('HGET', keys.arriving, batch)
  if packed then
    local hasLeft, items = {}, cmsgpack.unpack(packed)
    local index, count = batch:match('^(%d+)/(%d+)/')
    for id in gmatch(ids, '%S+') do hasLeft[id] = true end
    call('HDEL', keys.arriving, batch)
    for i = 1, #items, 3 do
      local leaseMs, id, record = tonumber(items[i]), items[i + 1], items[i + 2]
      if hasLeft[id] and byte(id) == SIGN_BYTES.session then
        placeSession(id, leaseMs, record)
      elseif hasLeft[id] then
        appear(id, leaseMs, withOrder(record, tonumber(index), tonumber(count)))
      end
    end
  end
  reply(REPLY.done)
end

-- Forgets which entries have left in a batch, once they have appeared. A batch that was given up is remembered: it may be
-- asked to leave once more, late.
function OPS.forgetDeparture(batch)
  if (call('HGET', keys.departed, batch) or '') ~= '' then call('HDEL', keys.departed, batch) end
  reply(REPLY.done)
end
