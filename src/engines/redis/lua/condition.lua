-- Conditions: what a template asks of a field beside a value, checked on the tokens of an entry alone.
--
-- A template has them as a text: `?field=operator` of each (`!` before the operator if it must not hold), then its
-- operands, all separated by |. The memory engine has the same rules (entry/holds.ts).
-- `LATER.conditions` has what other files use: names that all files share are scarce.

-- Conditions that were parsed, for the calls that follow.
local parsedConditions, conditionCount = {}, 0
local MOST_PARSED = 1024

-- Before the name of a field, before the digits of a bigint, and the letters of types.
local ASKS, MINUS = 63, 45
local NUMBER, DATE, INTEGER, TEXT = 110, 100, 105, 115
local PLAIN = 58 -- behind the letter of a type whose value follows; another sign: a hash

-- Returns the text that a token stands for.
local function unescaped(text)
  if not find(text, '%', 1, true) then return text end
  return (text:gsub('%%(%x%x)', function(code) return string.char(tonumber(code, 16)) end))
end

-- Returns the value of a token behind its type, as it is compared. A bigint is compared by its digits: behind those of
-- the beginning of a long one, `e` and their number follow.
local function valueOf(kind, text)
  if kind == NUMBER or kind == DATE then return tonumber(text) end
  if kind == TEXT then return unescaped(text) end
  return text:match('^-?%d+')
end

-- Compares texts by their bytes: Lua compares by the locale of the server. Returns a number below, equal to or above 0.
local function compareBytes(a, b)
  if a == b then return 0 end
  local length = #a < #b and #a or #b
  for i = 1, length do
    local difference = byte(a, i) - byte(b, i)
    if difference ~= 0 then return difference end
  end
  return #a - #b
end

local function compareIntegers(a, b)
  local isNegative = byte(a) == MINUS
  if isNegative ~= (byte(b) == MINUS) then return isNegative and -1 or 1 end
  local order = #a - #b
  if order == 0 then order = compareBytes(a, b) end
  return isNegative and -order or order
end

local function compare(kind, a, b)
  if kind == TEXT then return compareBytes(a, b) end
  if kind == INTEGER then return compareIntegers(a, b) end
  return a == b and 0 or a < b and -1 or 1
end

local MEETS = {
  gt = function(kind, value, operands) return compare(kind, value, operands[1]) > 0 end,
  gte = function(kind, value, operands) return compare(kind, value, operands[1]) >= 0 end,
  lt = function(kind, value, operands) return compare(kind, value, operands[1]) < 0 end,
  lte = function(kind, value, operands) return compare(kind, value, operands[1]) <= 0 end,
  between = function(kind, value, operands)
    return compare(kind, value, operands[1]) >= 0 and compare(kind, value, operands[2]) <= 0
  end,
  startsWith = function(_, value, operands) return sub(value, 1, #operands[1]) == operands[1] end,
}

-- Adds what is compared with the value of an entry. Returns false if that is damaged.
local function prepare(condition, operands)
  if condition.operator == 'present' then return true end
  if condition.operator == 'oneOf' then
    condition.tokens = {}
    for i = 1, #operands do condition.tokens[operands[i]] = true end
    return true
  end
  condition.meets, condition.kind = MEETS[condition.operator], operands[1] and byte(operands[1])
  for i = 1, #operands do condition.operands[i] = valueOf(condition.kind, sub(operands[i], 3)) end
  return condition.meets ~= nil and #condition.operands == (condition.operator == 'between' and 2 or 1)
end

-- Damaged conditions are read as this one, which never holds.
local NEVER = { { field = '', operator = 'never', isNegated = true, operands = {}, given = {} } }

local function parse(text)
  local all = {}
  for part in gmatch(text, '[^|]+') do
    local condition = all[#all]
    if byte(part) == ASKS then
      local field, negation, operator = part:match('^%?([^=]*)=(!?)(%a+)$')
      if not field then return NEVER end
      all[#all + 1] = { field = field, operator = operator, isNegated = negation ~= '', operands = {}, given = {},
        token = '|' .. field .. '=', beginning = '|' .. field .. ':' }
    elseif condition then
      condition.given[#condition.given + 1] = part
    end
  end
  for i = 1, #all do if not prepare(all[i], all[i].given) then return NEVER end end
  return #all > 0 and all or NEVER
end

-- Returns the conditions of a text.
local function conditionsOf(text)
  local found = parsedConditions[text]
  if not found then
    found = parse(text)
    if conditionCount >= MOST_PARSED then parsedConditions, conditionCount = {}, 0 end
    parsedConditions[text], conditionCount = found, conditionCount + 1
  end
  return found
end

-- Returns what follows a name in a signature, up to the next |; nil if there is none before `stop`.
local function itemBehind(text, name, from, stop)
  local at, last = find(text, name, from, true)
  if not at or at >= stop then return nil end
  return sub(text, last + 1, find(text, '|', last + 1, true) - 1)
end

local function isMet(condition, text, from, stop)
  local token = itemBehind(text, condition.token, from, stop)
  if not token or token == SIGN.absent then return false end
  if condition.operator == 'present' then return true end
  if condition.tokens then return condition.tokens[token] == true end
  local kind, form = byte(token, 1, 2)
  if kind ~= condition.kind or not form then return false end
  local value
  if form == PLAIN then value = sub(token, 3) else value = itemBehind(text, condition.beginning, from, stop) end
  value = value and valueOf(kind, value)
  -- A damaged token has none.
  return value ~= nil and condition.meets(kind, value, condition.operands)
end

-- Returns whether all conditions hold for the signature that begins at `from`, and ends with the text or a newline.
local function holds(conditions, text, from)
  if conditions == NEVER then return false end
  local stop = find(text, '\n', from, true) or #text
  for i = 1, #conditions do
    if isMet(conditions[i], text, from, stop) == conditions[i].isNegated then return false end
  end
  return true
end

-- Returns the tokens one of which each match has in an index; nil if a condition does not tell.
local function tokensAsked(condition)
  if condition.operator == 'present' and condition.isNegated then return { condition.field .. '=' .. SIGN.absent } end
  if condition.operator ~= 'oneOf' or condition.isNegated then return nil end
  local all = {}
  for i = 1, #condition.given do all[i] = condition.field .. '=' .. condition.given[i] end
  return all
end

-- `of`: the conditions of a text. `hold`: whether all hold for a signature.
LATER.conditions = { of = conditionsOf, hold = holds, tokensAsked = tokensAsked, unescaped = unescaped, compareBytes = compareBytes }
