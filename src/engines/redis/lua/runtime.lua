-- Functions of Lua and Redis under short names, and small ones that every file needs.
-- shares: call, find, sub, format, concat, floor, byte, gmatch, unpack_, bind, many, textOf, scoreText, append, DIGITS, unpacked

-- Redis forbids these names while it loads a library; the first call binds them.
local call, find, sub, format, concat, floor, byte, gmatch, unpack_

-- '000' to '999': formatting a number costs more than everything else that is done with the number.
local DIGITS = {}
local NUMBERS = {}

local function bind()
  -- The heap of this library is small, and nearly all that it allocates is garbage at once: collecting at twice the
  -- heap's size would be most of the work.
  collectgarbage('setpause', 500)
  for i = 0, 999 do DIGITS[i] = ('%03d'):format(i) end
  call, find, sub, format, concat = redis.call, string.find, string.sub, string.format, table.concat
  floor, byte, gmatch, unpack_ = math.floor, string.byte, string.gmatch, unpack
end

-- Calls a variadic command in pieces: Lua's stack takes some thousands of values.
local function many(command, key, list)
  local n = #list
  if n <= 4000 then return call(command, key, unpack_(list)) end
  for i = 1, n, 4000 do call(command, key, unpack_(list, i, i + 3999 < n and i + 3999 or n)) end
end

-- Returns a small number as text.
local function textOf(n)
  local known = NUMBERS[n]
  if not known then
    known = format('%d', n)
    if n < 4096 then NUMBERS[n] = known end
  end
  return known
end

-- Returns a score as 16 digits. Within a call most scores share the first 13.
local lastHigh, lastHighText
local function scoreText(score)
  local high = floor(score / 1000)
  if high ~= lastHigh then lastHigh, lastHighText = high, format('%013.0f', high) end
  return lastHighText .. DIGITS[score - high * 1000]
end

-- Returns what was packed into a text; nil if it is damaged.
local function unpacked(text)
  local isWhole, value = pcall(cmsgpack.unpack, text)
  return isWhole and type(value) == 'table' and value or nil
end

local function append(map, key, value)
  local list = map[key]
  if list then list[#list + 1] = value else map[key] = { value } end
end
