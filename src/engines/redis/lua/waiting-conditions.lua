-- Waits with conditions. Each text of conditions that waits has a queue: a write checks each text once, and reads the
-- queues of those that hold. The texts of one shape and its values are in a sorted set, by the bound of one of their
-- comparisons with a number or a date, if they have one: a write looks at those alone whose bound its entry keeps.
--
-- A shape of waits with conditions ends in ; and the sign and field of that comparison, or in ; alone.
-- `LATER.conditional` has what other files use.

-- A library of an older layout would hand a take what its conditions exclude.
local CONDITIONS_SINCE = 6

-- Returns why a wait must not be registered; nil if it may.
local function refusalOf(spec) return spec.conditions and LATER.refusalBelow(CONDITIONS_SINCE) or nil end

-- The signs of ranges, by operator: up to a bound, or from one on.
local UP_TO, FROM = '<', '>'
local RANGES = { lt = UP_TO, lte = UP_TO, gt = FROM, gte = FROM, between = FROM }

-- Returns the condition by which conditions are sorted; nil if there is none.
local function rangeIn(conditions)
  for i = 1, #conditions do
    local condition = conditions[i]
    if RANGES[condition.operator] and not condition.isNegated and type(condition.operands[1]) == 'number' then return condition end
  end
end

-- Returns the end of a shape of waits with these conditions.
local function rangeOf(text)
  local condition = rangeIn(LATER.conditions.of(text))
  return condition and RANGES[condition.operator] .. condition.field or ''
end

-- `values`: `mode@kind:shape|tokens`, of the values beside the conditions.
local function conditionalKey(values, text) return queueKey(values .. SIGN.conditional .. redis.sha1hex(text)) end

-- Returns the texts of conditions that may hold for an entry. `range`: sign and field by which they are sorted, or ''.
local function textsFor(info, values, range)
  local key = conditionsKey(values)
  if range == '' then
    -- Read once in a call.
    facts[key] = facts[key] or call('ZRANGE', key, 0, -1)
    return facts[key]
  end
  local token = info.tokens[sub(range, 2)]
  local value = token and tonumber(token:match('^[^=]*=[nd]:(.*)$') or nil)
  -- Of a damaged token it may be no number that Redis knows.
  if not value or value ~= value then return {} end
  local text = format('%.17g', value)
  if sub(range, 1, 1) == UP_TO then return call('ZRANGEBYSCORE', key, text, '+inf') end
  return call('ZRANGEBYSCORE', key, '-inf', text)
end

-- Returns the queues that are looked at in any case, and those of the conditions that hold for an entry.
local function withConditions(found, info)
  local all = {}
  for i = 1, #found do
    local values = found[i].values
    if values then
      local texts = textsFor(info, values, found[i].range)
      for j = 1, #texts do
        if LATER.conditions.hold(LATER.conditions.of(texts[j]), info.text, 1) then all[#all + 1] = { conditionalKey(values, texts[j]), false } end
      end
    else
      all[#all + 1] = found[i]
    end
  end
  return all
end

-- Counts the conditions of a wait, and sets its queue.
local function joinConditions(spec, values)
  local text = spec.conditions
  spec.values, spec.key = values, conditionalKey(values, text)
  if call('HINCRBY', keys.conditionCounts, values .. SIGN.conditional .. text, 1) > 1 then return end
  local condition = rangeIn(LATER.conditions.of(text))
  local key = conditionsKey(values)
  call('ZADD', key, condition and format('%.17g', condition.operands[1]) or 0, text)
  facts[key] = nil
end

local function leaveConditions(spec)
  local counted = spec.values .. SIGN.conditional .. spec.conditions
  if call('HINCRBY', keys.conditionCounts, counted, -1) > 0 then return end
  local key = conditionsKey(spec.values)
  call('HDEL', keys.conditionCounts, counted)
  call('ZREM', key, spec.conditions)
  facts[key] = nil
end

-- `add`: the queues of conditions to others. `join`, `leave`: of a wait. `refusalOf`: why it must not be registered.
-- `rangeOf`: the end of its shape.
LATER.conditional = { add = withConditions, join = joinConditions, leave = leaveConditions, refusalOf = refusalOf, rangeOf = rangeOf }
