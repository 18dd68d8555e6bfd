-- Indexes in the order of a field: a sorted set of each root and field, all scores 0. A member is the type of the value,
-- the value as bytes that sort as it does, the place (score of the record, 16 digits), and the id.
--
-- A signature marks ordered fields (`,field`), so a record alone tells its members. `LATER.order` has what other files use.

-- Libraries of older layouts do not keep these indexes.
local ORDERED_SINCE = 7

local PLACE_LENGTH = 16
-- Behind the place of every member with a value: a digit follows the value.
local BEHIND_PLACES = ':'
local ESCAPES = { ['\0'] = '\1\1', ['\1'] = '\1\2' }

-- Returns bytes that sort as numbers do: of a negative one all bits of its double are turned over, of others the sign.
local function bytesOfNumber(value)
  local bytes = struct.pack('>d', value)
  if value < 0 then
    return (bytes:gsub('.', function(c) return string.char(255 - byte(c)) end))
  end
  return string.char(byte(bytes) + 128) .. sub(bytes, 2)
end

-- `digits`: of a bigint, with its sign; the first ones if there are more. `length`: how many digits there are.
local function bytesOfInteger(digits, length)
  if byte(digits) ~= 45 then return '1' .. format('%04d', length) .. digits .. ';' end
  local turned = sub(digits, 2):gsub('%d', function(c) return textOf(57 - byte(c)) end)
  return '0' .. format('%04d', 9999 - length) .. turned .. ';'
end

-- Returns a value in its order, given its type (a letter) and text: of a token, or the beginning of a value.
local function encoded(kind, text)
  if kind == 'n' or kind == 'd' then
    local value = tonumber(text)
    return value and value == value and kind .. bytesOfNumber(value) or nil
  end
  if kind == 's' then
    return 's' .. LATER.conditions.unescaped(text):gsub('[%z\1]', ESCAPES) .. '\0'
  end
  local digits, length = text:match('^(%-?%d+)e?(%d*)$')
  if kind ~= 'i' or not digits then return nil end
  return 'i' .. bytesOfInteger(digits, length ~= '' and tonumber(length) or #digits - (byte(digits) == 45 and 1 or 0))
end

-- Returns the value of a field of an entry in its order; nil if it has none. `beginning`: of a value whose token is a
-- hash.
local function valueIn(token, beginning)
  local kind, form, text = token:match('=(.)(.)(.*)$')
  if not kind then return nil end
  if form ~= ':' then text = beginning end
  return text and encoded(kind, text)
end

local function isKept() return counters.layout >= ORDERED_SINCE end

-- Returns the part of a member before its id.
local function prefixOf(ordered, record) return ordered.value .. scoreOf(record) end

-- Adds an entry to the indexes in which its values are kept in order. `into`: as newIndexed.
local function add(info, id, score, into)
  if not info.ordered or not isKept() then return end
  for _, ordered in pairs(info.ordered) do
    append(into, ordered.key, 0)
    append(into, ordered.key, ordered.value .. score .. id)
  end
end

local function takeOut(info, id, record)
  if not info.ordered or not isKept() then return end
  for _, ordered in pairs(info.ordered) do call('ZREM', ordered.key, prefixOf(ordered, record) .. id) end
end

-- Returns whether an entry has its place in all of them.
local function isIn(info, id, record)
  if not info.ordered or not isKept() then return true end
  for _, ordered in pairs(info.ordered) do
    if not call('ZSCORE', ordered.key, prefixOf(ordered, record) .. id) then return false end
  end
  return true
end

-- Returns the range of members that a condition names, as ZRANGEBYLEX has it; nil if it names none.
local function rangeOfOrder(condition)
  local first, second = condition.given[1], condition.given[2]
  local low = first and encoded(sub(first, 1, 1), sub(first, 3))
  if not low then return nil end
  local kind, operator = sub(low, 1, 1), condition.operator
  local from, to = '[' .. kind, '(' .. string.char(byte(kind) + 1)
  if operator == 'gt' then from = '(' .. low .. BEHIND_PLACES
  elseif operator == 'gte' then from = '[' .. low
  elseif operator == 'lt' then to = '(' .. low
  elseif operator == 'lte' then to = '(' .. low .. BEHIND_PLACES
  elseif operator == 'between' then
    local high = second and encoded(sub(second, 1, 1), sub(second, 3))
    if not high then return nil end
    from, to = '[' .. low, '(' .. high .. BEHIND_PLACES
  elseif operator == 'startsWith' then
    -- No text has the byte 255. The last byte of `low` ends the text.
    from, to = '[' .. sub(low, 1, -2), '(' .. sub(low, 1, -2) .. '\255'
  else return nil
  end
  return from, to
end

-- Returns the index by which a search goes in order, as the other indexes of a search: its key and range. Returns nil if
-- the template names none, or not all writers keep it.
local function indexInOrder(spec, root)
  if not spec.orderedBy or not isKept() or counters.converting then return nil end
  if not LATER.isAnnounced(root, spec.orderedBy .. SIGN.order) then return nil end
  local conditions = LATER.conditions.of(spec.conditions)
  for i = 1, #conditions do
    if conditions[i].field == spec.orderedBy then
      local from, to = rangeOfOrder(conditions[i])
      return from and { key = freeWithKey(root .. '|' .. spec.orderedBy .. SIGN.order), from = from, to = to }
    end
  end
end

-- Returns the id that ends a member, and what is before it. The value before the place has the length of its type.
local function splitMember(member)
  local kind, ends = sub(member, 1, 1), 9
  if kind == 's' then ends = find(member, '\0', 1, true) elseif kind == 'i' then ends = find(member, ';', 1, true) end
  local last = ends + PLACE_LENGTH
  return sub(member, last + 1), sub(member, 1, last)
end

LATER.order = { valueIn = valueIn, add = add, takeOut = takeOut, isIn = isIn, prefixOf = prefixOf, indexFor = indexInOrder,
  splitMember = splitMember }
