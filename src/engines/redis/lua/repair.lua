-- The repair: compares stored entries with the indexes, in pages, and has every process register its waits anew.

-- Entries that one call compares.
local COMPARED = 100
-- Time between two pages of a scan, which takes a few ms.
local SCAN_MS = 50

-- Returns the ids of entries that are held, or hidden by transactions: they are in no index of free entries.
local function hiddenIds()
  local ids = {}
  local presences = call('ZRANGE', keys.presences, 0, -1)
  for i = 1, #presences do
    local claims = call('SMEMBERS', keysOf(presences[i]).claims)
    for j = 1, #claims do if find(claims[j], ':', 1, true) then ids[idOf(claims[j])] = true end end
  end
  local open = openTransactions()
  for i = 1, #open do
    local taken, written = takenUnder(open[i]), call('ZRANGE', writtenKey(open[i]), 0, -1)
    for j = 1, #taken do ids[taken[j]] = true end
    for j = 1, #written do ids[written[j]] = true end
  end
  local read = call('HKEYS', keys.readers)
  for i = 1, #read do ids[read[i]] = true end
  return ids
end

-- Returns whether an entry has its place in all of its indexes.
local function isIndexed(id, info, score)
  for i = 1, #info.index do if tonumber(call('ZSCORE', info.index[i], id) or -1) ~= score then return false end end
  return true
end

-- Compares a page of entries. Returns the next cursor ('0': all were compared), and the numbers of entries that were
-- compared, that were put back into their indexes, and that were set aside.
local function comparePage(cursor)
  flush()
  local got = call('HSCAN', keys.entries, cursor, 'COUNT', COMPARED)
  local list, hidden, restored, damaged = got[2], hiddenIds(), 0, 0
  for i = 1, #list, 2 do
    local id, record = list[i], list[i + 1]
    if not isSound(record) then
      LATER.setAside(id, record)
      damaged = damaged + 1
    elseif hasExpired(record) or (isRequest(record) and not isPresent(requesterOf(record))) then
      remove(id, record)
    elseif not hidden[id] then
      local info = indexInfo(signatureOf(record))
      if not isIndexed(id, info, tonumber(scoreOf(record))) then
        unindex(id, info.index)
        makeAvailable(id, record, info, scoreOf(record), TRANSITIONS.ofReturn)
        restored = restored + 1
      end
    end
  end
  return got[1], #list / 2, restored, damaged
end

-- `cursor`: '0' to begin. Replies the next cursor, and the three numbers.
function OPS.repair(cursor)
  local on, compared, restored, damaged = comparePage(cursor)
  reply(REPLY.page, on, compared .. ' ' .. restored .. ' ' .. damaged)
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

-- Forgets all shapes, and has every process register its waits anew.
function OPS.renewWaits()
  flush()
  call('UNLINK', keys.shapes, keys.shapeCounts, keys.ifExists)
  local all = call('ZRANGE', keys.presences, 0, -1)
  for i = 1, #all do push(all[i], PUSH.outOfStep .. '\t', '', '') end
  reply(REPLY.done)
end
