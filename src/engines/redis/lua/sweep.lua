-- The sweep: removes expired entries, and waiting requests of processes that are gone, a bounded number in each call.
-- Finds check both exactly, so they never return an entry that the sweep has not reached.
-- shares: sweepAfter, sweepInBeat, sweepNow

-- An entry is looked at about twice. A surplus, after many writes at once, is spread over the calls that follow.
local SWEPT_PER_CALL, SWEPT_PER_WRITE, SWEPT_PER_BEAT = 8, 3, 256
-- Most ids in one command: Lua's stack takes some thousands of values.
local SWEPT_AT_ONCE = 1000
-- Most ids in one call: a few ms.
local MOST_SWEPT = 2000

-- Returns whether an entry is a waiting request of a process that is gone.
local function isOrphan(id, record)
  return isRequest(record) and not isPresent(requesterOf(record))
    and call('ZSCORE', indexInfo(signatureOf(record)).index[1], id)
end

local function sweep(budget)
  local second = floor(now / 1000)
  if budget > MOST_SWEPT then budget = MOST_SWEPT end
  while counters.sweep <= second and budget > 0 do
    local ids = call('LPOP', sweepKey(counters.sweep), budget < SWEPT_AT_ONCE and budget or SWEPT_AT_ONCE)
    if not ids or #ids == 0 then
      counters.sweep = counters.sweep + 1
      budget = budget - 1
      countersChanged = true
    else
      budget = budget - #ids
      local records = call('HMGET', keys.entries, unpack_(ids))
      for i = 1, #ids do
        local record = records[i]
        if record and not isSound(record) then
          LATER.setAside(ids[i], record)
        elseif record then
          local ends = sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)
          if hasExpired(record) or isOrphan(ids[i], record) then
            remove(ids[i], record)
          elseif ends ~= SHARED.never then
            sweepLater(ids[i], tonumber(ends), tonumber(sub(record, RECORD.writtenAt.from, RECORD.writtenAt.to)))
          end
        end
      end
    end
  end
end

-- Runs at the end of a batch that has written this number of entries.
local function sweepAfter(written) sweep(SWEPT_PER_CALL + SWEPT_PER_WRITE * written) end

-- Runs in a quiet space, once the sweep is late.
local function sweepInBeat()
  if floor(now / 1000) - counters.sweep >= 5 then sweep(SWEPT_PER_BEAT) end
end

-- Runs before a write is refused, once in a call.
local function sweepNow()
  facts.swept = true
  flushRecords()
  sweep(MOST_SWEPT)
end
