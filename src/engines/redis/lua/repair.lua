-- The repair: compares stored entries with the indexes, in pages, and has every process register its waits anew.

-- Entries that one call compares.
local COMPARED = 100
-- Time between two pages of a scan, which takes a few ms.
local SCAN_MS = 50

-- Most claims, and most marks of transactions, that one call looks at: about 20 ms.
local MOST_CLAIMS, MOST_MARKS = 20000, 20000

-- Takes entries that are hidden by transactions out of `lost`: by id, their records. Returns false if there are too many
-- transactions to look at.
local function dropHidden(lost)
  local ids, marks = {}, {}
  for id, record in pairs(lost) do
    local marked = isLarge(record) and SIGN.reference .. id or id
    ids[#ids + 1] = id
    marks[#marks + 1] = MARK.taken .. marked
    marks[#marks + 1] = MARK.writtenAndTaken .. marked
  end
  local open = openTransactions()
  if #open * #ids > MOST_MARKS then return false end
  for i = 1, #open do
    local isMarked, hasWrites = call('SMISMEMBER', marksKey(open[i]), unpack_(marks)), exists(writtenKey(open[i]))
    for j = 1, #ids do
      if isMarked[2 * j - 1] == 1 or isMarked[2 * j] == 1 or hasWrites and hasWritten(open[i], ids[j]) then lost[ids[j]] = nil end
    end
  end
  if exists(keys.readers) then
    for j = 1, #ids do if call('HGET', keys.readers, ids[j]) then lost[ids[j]] = nil end end
  end
  return true
end

-- Takes entries that processes hold out of `lost`. Returns false if there are too many claims to look at.
local function dropHeld(lost)
  local presences, seen = call('ZRANGE', keys.presences, 0, -1), 0
  for i = 1, #presences do
    local cursor = '0'
    repeat
      if not next(lost) then return true end
      if seen > MOST_CLAIMS then return false end
      local got = call('SSCAN', keysOf(presences[i]).claims, cursor, 'COUNT', 1000)
      local claims = got[2]
      cursor, seen = got[1], seen + #claims
      for j = 1, #claims do
        local stop = find(claims[j], ':', 1, true)
        if stop then lost[sub(claims[j], 1, stop - 1)] = nil end
      end
    until cursor == '0'
  end
  return true
end

-- Returns whether an entry has its place in all of its indexes.
local function isIndexed(id, info, score, record)
  if not LATER.order.isIn(info, id, record) then return false end
  for i = 1, #info.index do if tonumber(call('ZSCORE', info.index[i], id) or -1) ~= score then return false end end
  return true
end

-- Compares a page of entries. Returns the next cursor ('0': all were compared), and the numbers of entries that were
-- compared, that were put back into their indexes, that were set aside, and that are in no index but may be held.
local function comparePage(cursor)
  flush()
  local got = call('HSCAN', keys.entries, cursor, 'COUNT', COMPARED)
  local list, lost, restored, damaged, unsure = got[2], {}, 0, 0, 0
  for i = 1, #list, 2 do
    local id, record = list[i], list[i + 1]
    if not isSound(record) then
      LATER.setAside(id, record)
      damaged = damaged + 1
    elseif hasExpired(record) or (isRequest(record) and not isPresent(requesterOf(record))) then
      remove(id, record)
    elseif not isIndexed(id, indexInfo(signatureOf(record)), tonumber(scoreOf(record)), record) then
      lost[id] = record
    end
  end
  -- Entries that are held, or hidden by transactions, are in no index either.
  local isSure = not next(lost) or dropHidden(lost) and dropHeld(lost)
  for id, record in pairs(lost) do
    if isSure then
      local info = indexInfo(signatureOf(record))
      unindex(id, info, record)
      makeAvailable(id, record, info, scoreOf(record), TRANSITIONS.ofReturn)
      restored = restored + 1
    else
      unsure = unsure + 1
    end
  end
  return got[1], #list / 2, restored, damaged, unsure
end

-- `cursor`: '0' to begin. Replies the next cursor, and the four numbers.
function OPS.repair(cursor)
  local on, compared, restored, damaged, unsure = comparePage(cursor)
  reply(REPLY.page, on, compared .. ' ' .. restored .. ' ' .. damaged .. ' ' .. unsure)
end

-- In a new history, beats compare a page each until all entries were compared. Returns the ms until the next page; nil
-- if there is none.
function LATER.scan()
  if not counters.scan then return nil end
  local since = wall - (counters.scannedAt or 0)
  if since >= SCAN_MS or since < 0 then
    local on = comparePage(counters.scan)
    counters.scan, counters.scannedAt = on ~= '0' and on or nil, wall
    countersChanged = true
  end
  return counters.scan and SCAN_MS
end

-- Forgets all shapes and conditions, and has every process register its waits anew.
function OPS.renewWaits()
  flush()
  forget()
  call('UNLINK', keys.shapes, keys.shapeCounts, keys.conditionCounts, keys.ifExists)
  local all = call('ZRANGE', keys.presences, 0, -1)
  for i = 1, #all do push(all[i], PUSH.outOfStep .. '\t', '', '') end
  reply(REPLY.done)
end
