-- Bounds: the limits to which the process of this call lets the space grow. Used only after the operation `bound`.
-- shares: growBytes, isTooMuch, isOver

-- Number of records that Redis samples to estimate the size of all: 2 µs, and no removal has to know a size.
local SAMPLES = 100
-- Bytes that Redis needs for a record beside the bytes of the record and of its id, about.
local OVERHEAD = 60

local mostEntries, mostBytes
local bytesBefore -- bytes in use when this call first asked
local bytesSince  -- bytes that it has written since

function OPS.bound(maxEntries, maxBytes)
  local entries, bytes = tonumber(maxEntries), tonumber(maxBytes)
  mostEntries = entries > 0 and entries or nil
  mostBytes = bytes > 0 and bytes or nil
  bytesBefore, bytesSince = nil, 0
  bounded = true
  -- From now on every process that writes or removes a large body counts it.
  if mostBytes and not counters.large then
    counters.large = 0
    countersChanged = true
  end
end

local function growBytes(by)
  if bounded then bytesSince = bytesSince + by end
end

-- Returns whether the space has no room for a change. If the change leaves no more than before, there is always room:
-- processes with other bounds may have written.
local function exceeds(count, bytes)
  if mostEntries and count > 0 then
    local over = call('HLEN', keys.entries) + call('ZCARD', keys.sessions) + putCount / 2 + count - mostEntries
    if over > 0 and over > call('ZCARD', freeKey(KIND.control)) then return true end
  end
  if not mostBytes or bytes <= 0 then return false end
  bytesBefore = bytesBefore or (call('MEMORY', 'USAGE', keys.entries, 'SAMPLES', SAMPLES) or 0) + counters.large
    + tonumber(call('GET', keys.sessionBytes) or 0)
  return bytesBefore + bytesSince + bytes > mostBytes
end

-- Returns the number of entries that an operation writes, and their bytes. Those of the control do not count.
local function sizeOf(from, last)
  local count, bytes = 0, 0
  for at = from, last, 3 do
    local header, id = sharedHeader(argv[at]), argv[at + 1]
    if not header.dead and header.info.root ~= KIND.control then
      count = count + 1
      bytes = bytes + header.size + #argv[at + 2] + #id + OVERHEAD
      if header.large and mostBytes then bytes = bytes + call('STRLEN', bodyKey(id)) end
    end
  end
  return count, bytes
end

-- Corrects the count of large bodies: a process that does not count, such as an older release, may have removed some.
local function recount()
  local ids = call('HRANDFIELD', keys.bodyBytes, 32)
  for j = 1, #ids do if call('EXISTS', bodyKey(ids[j])) == 0 then uncountBody(ids[j]) end end
end

-- The same as exceeds(), after a sweep of expired entries.
local function isTooMuch(count, bytes)
  local over = exceeds(count, bytes)
  if over and not facts.swept then
    sweepNow()
    if mostBytes then recount() end
    bytesBefore, bytesSince = nil, 0
    over = exceeds(count, bytes)
  end
  return over
end

-- Returns whether there is no room for the entries of an operation. Entries that their transaction has taken make
-- room, because they are gone for all others; so does `ending`, the entry that ends with them.
local function isOver(from, last, transaction, ending)
  if not bounded then return false end
  local count, bytes = sizeOf(from, last)
  if count == 0 then return false end
  local over = isTooMuch(count, bytes)
  if over and (transaction or ending) then
    local ids = transaction and takenUnder(transaction) or {}
    ids[#ids + 1] = ending
    for j = 1, #ids do
      local size = call('HSTRLEN', keys.entries, ids[j])
      if size > 0 then
        count = count - 1
        bytes = bytes - size - #ids[j] - OVERHEAD - tonumber(call('HGET', keys.bodyBytes, ids[j]) or 0)
      end
    end
    over = exceeds(count, bytes)
  end
  if not over then growBytes(bytes) end
  return over
end
