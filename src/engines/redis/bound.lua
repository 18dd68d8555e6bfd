-- M: what the process of this call bounds the space to, and whether there is room. Without M nothing here runs.

local isOver
do

-- So many records are looked at to tell what all of them take: 2 µs, and no removal has to know how large it was.
local SAMPLES = 100
-- What Redis takes for a record beside the bytes of it and of its id, about.
local BESIDE = 60

local mostEntries, mostBytes
-- Bytes that were in use when this call first asked, and those that it has written since.
local bytesBefore, bytesSince
-- Entries and bytes that completions of this call are still to write, less the requests that go with them.
local promised, promisedBytes

-- M: stands ahead of the operations and has no answer. most entries, most bytes; 0: no such bound
function OPS.M(argv, i)
  local entries, bytes = tonumber(argv[i]), tonumber(argv[i + 1])
  mostEntries = entries > 0 and entries or nil
  mostBytes = bytes > 0 and bytes or nil
  bytesBefore, bytesSince, promised, promisedBytes = nil, 0, 0, 0
  bounded = true
  -- From now on whoever writes or removes a large body counts it.
  if mostBytes and not meta.large then
    meta.large = 0
    metaDirty = true
  end
  return i + 2
end

-- What leaves no more than there was is never too much: others may have written beyond this bound.
local function tooMuch(count, bytes)
  if mostEntries and count > 0 and call('HLEN', P .. 'e') + putCount / 2 + promised + count > mostEntries then return true end
  if not mostBytes or bytes <= 0 then return false end
  bytesBefore = bytesBefore or (call('MEMORY', 'USAGE', P .. 'e', 'SAMPLES', SAMPLES) or 0) + meta.large
  return bytesBefore + bytesSince + bytes > mostBytes
end

-- How many of these are to be written, and their bytes.
local function sizeOf(argv, from, last)
  local count, bytes = 0, 0
  for at = from, last, 3 do
    local form, id = formOf(argv[at]), argv[at + 1]
    if not form.dead then
      count = count + 1
      bytes = bytes + #form.before + 16 + #form.after + #argv[at + 2] + #id + BESIDE
      if form.large and mostBytes then bytes = bytes + call('STRLEN', P .. 'b' .. id) end
    end
  end
  return count, bytes
end

-- What a transaction has taken is gone when it commits. Until then it may come back, so it makes room for that one only.
local function takenBy(tid)
  local ids, marks = {}, call('SMEMBERS', P .. 't' .. tid)
  for j = 1, #marks do
    local letter = byte(marks[j])
    if letter == 45 or letter == 42 then ids[#ids + 1] = unmarked(marks[j]) end
  end
  return ids
end

-- The same of what goes with these.
local function sizeThere(ids)
  local count, bytes = 0, 0
  for j = 1, #ids do
    local size = call('HSTRLEN', P .. 'e', ids[j])
    if size > 0 then
      count = count + 1
      bytes = bytes + size + #ids[j] + BESIDE + tonumber(mostBytes and call('HGET', P .. 'B', ids[j]) or 0)
    end
  end
  return count, bytes
end

-- What somebody has removed who does not count, such as an older release beside this one, would fill the space for ever.
local function recount()
  local ids = call('HRANDFIELD', P .. 'B', 32)
  for j = 1, #ids do if call('EXISTS', P .. 'b' .. ids[j]) == 0 then uncount(ids[j]) end end
end

-- Whether there is no room, even when what has ended is swept, for entries as they stand in an operation, three values each.
-- `tid`: their transaction; `ending`: a request that goes with them, so that they are written when all completions of the call are settled.
function isOver(argv, from, last, tid, ending)
  if not bounded then return false end
  local count, bytes = sizeOf(argv, from, last)
  if count == 0 then return false end
  if ending then
    local n, size = sizeThere({ ending })
    count, bytes = count - n, bytes - size
  end
  local over = tooMuch(count, bytes)
  if over and not facts.swept then
    facts.swept = true
    flushPuts()
    sweep(MOST_SWEPT)
    if mostBytes then recount() end
    bytesBefore, bytesSince = nil, promisedBytes
    over = tooMuch(count, bytes)
  end
  if over and tid then
    local n, size = sizeThere(takenBy(tid))
    count, bytes = count - n, bytes - size
    over = tooMuch(count, bytes)
  end
  if over then return true end
  bytesSince = bytesSince + bytes
  if ending and not tid then promised, promisedBytes = promised + count, promisedBytes + bytes end
  return false
end

end
