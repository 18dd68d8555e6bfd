-- Pushes: what a call hands to other processes, one message for each process, published at the end of the call.
-- shares: push, publish, item, pushedTo

local pushes, full = {}, {}
local LENGTHS = {}
-- Lua hashes every byte of each string that it makes, and of a long concatenation twice; beyond this size, two
-- messages cost less than one.
local LARGEST_PUSH = 7000

-- How many messages were sent to each channel since this library was loaded: by their numbers a process notices that
-- it has lost some. A process may have one name in several spaces. Two libraries on one server number their messages by
-- themselves.
local numbers, numbered = {}, 0
local MOST_NUMBERED = 4096
-- The last digits of the library's name: every byte of a push costs.
local LIBRARY = ('VERSION_'):sub(-5)

-- Returns the number of the last message to a process.
local function pushedTo(presence) return numbers[keysOf(presence).pushes] or 0 end

-- Returns a number as text, with zeros before it. Most numbers share all digits but the last three.
local lastThousand, lastThousandText
local function numberText(number)
  local high = floor(number / 1000)
  if high ~= lastThousand then lastThousand, lastThousandText = high, textOf(high) end
  return lastThousandText .. DIGITS[number - high * 1000]
end

local function send(presence, list)
  local channel = keysOf(presence).pushes
  if not numbers[channel] then
    if numbered >= MOST_NUMBERED then numbers, numbered = {}, 0 end
    numbers[channel], numbered = 0, numbered + 1
  end
  local number = numbers[channel] + 1
  numbers[channel] = number
  list[1], list[2], list[3], list[4] = nowText, LIBRARY, numberText(number), '\n'
  call('SPUBLISH', channel, concat(list))
end

-- Publishes all messages. A push is only a hint, the stored data decide: so pushes are not sent to replicas and the
-- AOF.
local function publish()
  if next(pushes) == nil then return end
  redis.set_repl(redis.REPL_NONE)
  for presence, lists in pairs(full) do for i = 1, #lists do send(presence, lists[i]) end end
  for presence, list in pairs(pushes) do send(presence, list) end
  redis.set_repl(redis.REPL_ALL)
  pushes, full = {}, {}
end

-- Returns the length of `bytes` as an item has it.
local function lengthOf(bytes)
  local n = #bytes
  local known = LENGTHS[n]
  if not known then
    known = '\t' .. n .. '\n'
    if n < 4096 then LENGTHS[n] = known end
  end
  return known
end

-- Adds an item: its kind and first word with a tab behind, its second word, and bytes.
local function push(presence, kindAndFirst, second, bytes)
  local list = pushes[presence]
  if not list or list.size > LARGEST_PUSH then
    if list then append(full, presence, list) end
    list = { '', '', '', '', size = 0, n = 4 }
    pushes[presence] = list
  end
  -- Counted by hand, because the length operator searches.
  local n = list.n
  list[n + 1], list[n + 2], list[n + 3], list[n + 4] = kindAndFirst, second, lengthOf(bytes), bytes
  list.n, list.size = n + 4, list.size + #bytes + 80
end

-- Adds an item to a page of a reply, which has the form of a push.
local function item(page, first, second, bytes)
  local n = #page
  page[n + 1], page[n + 2], page[n + 3], page[n + 4] = PUSH.item .. first .. '\t', second, lengthOf(bytes), bytes
end
