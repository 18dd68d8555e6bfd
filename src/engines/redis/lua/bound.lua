-- M: what the process of this call bounds the space to, and whether there is room. Without M nothing here runs.
-- shares: bytesSince, isTooMuch, isOver

-- So many records are looked at to tell what all of them take: 2 µs, and no removal has to know how large it was.
local SAMPLES = 100
-- What Redis takes for a record beside the bytes of it and of its id, about.
local BESIDE = 60

local mostEntries, mostBytes
-- Bytes that were in use when this call first asked, and those that it has written since.
local bytesBefore
local bytesSince

-- M: stands ahead of the operations and has no answer. most entries, most bytes; 0: no such bound
function OPS.M(argv, i)
  local entries, bytes = tonumber(argv[i]), tonumber(argv[i + 1])
  mostEntries = entries > 0 and entries or nil
  mostBytes = bytes > 0 and bytes or nil
  bytesBefore, bytesSince = nil, 0
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
  if mostEntries and count > 0 and call('HLEN', P .. 'e') + call('ZCARD', P .. 'Y') + putCount / 2 + count > mostEntries then return true end
  if not mostBytes or bytes <= 0 then return false end
  bytesBefore = bytesBefore or (call('MEMORY', 'USAGE', P .. 'e', 'SAMPLES', SAMPLES) or 0) + meta.large + tonumber(call('GET', P .. 'Z') or 0)
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

-- What somebody has removed who does not count, such as an older release beside this one, would fill the space for ever.
local function recount()
  local ids = call('HRANDFIELD', P .. 'B', 32)
  for j = 1, #ids do if call('EXISTS', P .. 'b' .. ids[j]) == 0 then uncount(ids[j]) end end
end

-- The same when what has ended is swept.
local function isTooMuch(count, bytes)
  local over = tooMuch(count, bytes)
  if over and not facts.swept then
    facts.swept = true
    flushPuts()
    sweep(MOST_SWEPT)
    if mostBytes then recount() end
    bytesBefore, bytesSince = nil, 0
    over = tooMuch(count, bytes)
  end
  return over
end

-- Whether there is no room, even when what has ended is swept, for entries as they stand in an operation, three values each. What their
-- transaction has taken makes room for them, for nobody else it is gone; so does what ends with them.
local function isOver(argv, from, last, tid, ending)
  if not bounded then return false end
  local count, bytes = sizeOf(argv, from, last)
  if count == 0 then return false end
  local over = isTooMuch(count, bytes)
  if over and (tid or ending) then
    local ids = tid and takenUnder(tid) or {}
    ids[#ids + 1] = ending
    for j = 1, #ids do
      local size = call('HSTRLEN', P .. 'e', ids[j])
      if size > 0 then
        count = count - 1
        bytes = bytes - size - #ids[j] - BESIDE - tonumber(call('HGET', P .. 'B', ids[j]) or 0)
      end
    end
    over = tooMuch(count, bytes)
  end
  if not over then bytesSince = bytesSince + bytes end
  return over
end
