-- Waits: finds, offers and registrations in queues, reached by looking a template up instead of trying all of them.
--
-- A queue is ordered by free credit and age. A shape is the list of fields of which a template names values. For each
-- mode (take, read, notify) and kind, at most four shapes have queues of their own. Templates of further shapes are in
-- the queue of one of their fields (a shape that ends in *), the one in which fewest wait (inexact-shapes.lua), and are
-- verified one by one. Templates with conditions have shapes of their own (waiting-conditions.lua).
-- shares: queuesFor, queueOf, specOf, setCredit, raiseCredit, register, unregister, parsedWaiter, hasOneOf, conforms
-- shares: holdersOfSuspects, bestIn, useCredit, pickTaker, knownOf

local MOST_SHAPES = 4
local TAKE, READ, NOTIFY = 'take', 'read', 'notify'

-- Reads the stored shapes of waits, by `mode@kind`.
local function readShapes(names)
  local texts = call('HMGET', keys.shapes, unpack_(names))
  for i = 1, #names do
    local list = {}
    for shape in gmatch(texts[i] or '', '[^|]+') do list[#list + 1] = shape end
    facts[names[i]] = list
    remember('shapes', names[i], list)
  end
end

local function knownShapes(name) return facts[name] or memory.shapes[name] end

LATER.knownShapes, LATER.readShapes = knownShapes, readShapes

-- Returns the shapes as they are stored; changes are based on these.
local function shapesOf(name)
  if not facts[name] then readShapes({ name }) end
  return facts[name]
end

local function saveShapes(name, list)
  if #list == 0 then call('HDEL', keys.shapes, name) else call('HSET', keys.shapes, name, concat(list, '|')) end
  forget()
end

-- Returns the queues of a mode whose waits may match an entry: { key, whether each wait must be verified }.
local function queuesFor(info, mode)
  if info.version ~= memory.version then
    info[TAKE], info[READ], info[NOTIFY], info.version = nil, nil, nil, memory.version
  end
  local found = info[mode]
  if found then return found.hasConditions and LATER.conditional.add(found, info) or found end
  local missing = {}
  for k = 1, #info.kinds do
    local kind = info.kinds[k]
    if not knownShapes('take@' .. kind) then missing[#missing + 1] = 'take@' .. kind end
    if not knownShapes('read@' .. kind) then missing[#missing + 1] = 'read@' .. kind end
    if not knownShapes('notify@' .. kind) then missing[#missing + 1] = 'notify@' .. kind end
  end
  if #missing > 0 then readShapes(missing) end
  found = {}
  for k = 1, #info.kinds do
    local name = mode .. '@' .. info.kinds[k]
    local list = knownShapes(name)
    for s = 1, #list do
      local shape, tokens, all = list[s], {}, true
      local ends = find(shape, SIGN.conditional, 1, true)
      for field in gmatch(ends and sub(shape, 1, ends - 1) or shape, '[^:,*]+') do
        local token = info.tokens[field]
        if not token then all = false break end
        tokens[#tokens + 1] = token
      end
      if all then
        local values = name .. shape .. '|' .. concat(tokens, '|')
        if ends then
          found[#found + 1] = { values = values, range = sub(shape, ends + 1) }
          found.hasConditions = true
        else
          found[#found + 1] = { queueKey(values), byte(shape, -1) == SIGN_BYTES.inexact }
        end
      end
    end
  end
  info[mode] = found
  return found.hasConditions and LATER.conditional.add(found, info) or found
end

-- Reads a queue: its best waiters, at most so many, in order. All others have a score below the floor.
local function readQueue(key, most)
  local got = call('ZREVRANGE', key, 0, most - 1, 'WITHSCORES')
  local score, order = {}, {}
  for i = 1, #got, 2 do
    score[got[i]] = tonumber(got[i + 1])
    order[#order + 1] = got[i]
  end
  local queue = { key = key, score = score, order = order, from = 1, changed = {}, window = most,
    whole = #order < most, floor = score[order[#order]] }
  waitQueues[key] = queue
  return queue
end

-- The first and the largest part of a queue that is read, unless all of it is: mostly the best few are enough, and each
-- costs about as much as a command.
local FIRST_WINDOW, LARGEST_WINDOW, ALL = 4, 64, 1000000000

-- Returns a queue, read in part or as a whole.
local function queueOf(key, isWhole)
  local queue = waitQueues[key]
  if queue then
    if queue.whole or queue.window and not isWhole then return queue end
    flushQueue(queue)
  end
  return readQueue(key, isWhole and ALL or FIRST_WINDOW)
end

-- Returns more of a queue.
local function widened(queue, isWhole)
  flushQueue(queue)
  local wider = queue.window * 4
  return readQueue(queue.key, isWhole and ALL or wider < LARGEST_WINDOW and wider or LARGEST_WINDOW)
end

-- Returns the spec of a wait; false if there is no such wait.
local function specOf(presence, wait)
  local waiter = presence .. ':' .. wait
  local spec = specs[waiter]
  if spec == nil then
    spec = memory.specs[waiter]
    if not spec then
      local packed = call('HGET', keysOf(presence).waits, wait)
      spec = packed and unpacked(packed) or false
      if spec and byte(wait) == WAIT_BYTES.offer then remember('specs', waiter, spec) end
    end
    specs[waiter] = spec
  end
  return spec
end

-- Returns whether the shape of a wait is known, and its conditions; entries of others are not looked up.
local function isDeclared(spec)
  if spec.values and not call('ZSCORE', conditionsKey(spec.values), spec.conditions) then return false end
  local list = shapesOf(spec.name)
  for i = 1, #list do if list[i] == spec.shape then return true end end
  return false
end

-- Notes the score of a waiter; with 0 or less it leaves its queue. The queue need not be read for this.
local function setScore(key, waiter, score)
  local queue = waitQueues[key]
  if not queue then
    queue = { key = key, score = {}, changed = {} }
    waitQueues[key] = queue
  end
  score = score > 0 and score or nil
  if queue.score[waiter] ~= score then queue.score[waiter], queue.order = score, nil end
  queue.changed[waiter] = true
end

-- Returns the credit of a waiter, as it is noted or stored; 0 if it is not in the queue.
local function creditOf(key, waiter)
  local queue = waitQueues[key]
  local score = queue and (queue.score[waiter] or queue.changed[waiter] and 0) or tonumber(call('ZSCORE', key, waiter) or 0)
  return score > 0 and math.ceil(score / SHARED.creditStep) or 0
end

-- Returns the age of a waiter that waits from now: the part of its score by which it comes behind those with the same
-- credit that have waited longer.
local function nextAge()
  counters.wait = counters.wait + 1
  return counters.wait % (SHARED.creditStep - 1) + 1
end

-- Gives a waiter this credit. It waits from now, behind all others with the same credit. Returns its age.
local function setCredit(key, waiter, credit)
  local age = nextAge()
  setScore(key, waiter, credit * SHARED.creditStep - age)
  return age
end

-- Raises the credit of an offer that is in its queue, and for which nothing free is left, in one command. Returns nil
-- if done, else the credit that it had.
local function raiseCredit(key, waiter, more)
  local age = memory.ages[waiter]
  if not age or waitQueues[key] or facts[keys.suspects] ~= false then return creditOf(key, waiter) end
  local younger = nextAge()
  if not call('ZADD', key, 'XX', 'INCR', more * SHARED.creditStep + age - younger, waiter) then return 0 end
  memory.ages[waiter] = younger
end

-- Puts a wait into its queue, with room for `credit` entries.
local function register(presence, wait, spec, credit)
  local tokens = {}
  for i = 1, #spec.indexed do tokens[#tokens + 1] = spec.indexed[i] end
  for i = 1, #spec.verified do tokens[#tokens + 1] = spec.verified[i] end
  local fields = {}
  for i = 1, #tokens do fields[i] = sub(tokens[i], 1, find(tokens[i], '=', 1, true) - 1) end
  local name = spec.mode .. '@' .. spec.kind
  local shape, values = ':' .. concat(fields, ','), concat(tokens, '|')
  if spec.conditions then shape = shape .. SIGN.conditional .. LATER.conditional.rangeOf(spec.conditions) end
  local list, known, exact = shapesOf(name), false, 0
  for i = 1, #list do
    if list[i] == shape then known = true end
    local isConditional = find(list[i], SIGN.conditional, 1, true) ~= nil
    if byte(list[i], -1) ~= SIGN_BYTES.inexact and isConditional == (spec.conditions ~= nil) then exact = exact + 1 end
  end
  if spec.anyOf or not known and #tokens > 1 and exact >= MOST_SHAPES then
    shape, values = LATER.rarestOf(name, fields, tokens)
  end
  values = name .. shape .. '|' .. values
  spec.name, spec.shape, spec.key = name, shape, queueKey(values)
  if find(shape, SIGN.conditional, 1, true) then LATER.conditional.join(spec, values) end
  if call('HINCRBY', keys.shapeCounts, name .. shape, 1) == 1 then
    list[#list + 1] = shape
    saveShapes(name, list)
  end
  call('HSET', keysOf(presence).waits, wait, cmsgpack.pack(spec))
  if byte(wait) == WAIT_BYTES.offer then forget() end
  if spec.ifExists then call('SADD', keys.ifExists, presence .. ':' .. wait) end
  specs[presence .. ':' .. wait] = spec
  setCredit(spec.key, presence .. ':' .. wait, credit)
end

-- Ends a wait. Returns false if there was none.
local function unregister(presence, wait)
  local spec = specOf(presence, wait)
  if not spec then return false end
  local waiter = presence .. ':' .. wait
  call('HDEL', keysOf(presence).waits, wait)
  if byte(wait) == WAIT_BYTES.offer then forget() end
  specs[waiter] = false
  if spec.ifExists then call('SREM', keys.ifExists, waiter) end
  setScore(spec.key, waiter, 0)
  if spec.values then LATER.conditional.leave(spec) end
  if call('HINCRBY', keys.shapeCounts, spec.name .. spec.shape, -1) <= 0 then
    call('HDEL', keys.shapeCounts, spec.name .. spec.shape)
    local list, rest = shapesOf(spec.name), {}
    for i = 1, #list do if list[i] ~= spec.shape then rest[#rest + 1] = list[i] end end
    facts[spec.name] = rest
    saveShapes(spec.name, rest)
  end
  return true
end

-- Waiters that were parsed, for the calls that follow.
local parsedWaiters, waitersCount = {}, 0
local MOST_WAITERS = 2048

-- Parses a waiter: `presence:wait`. `once`: a plain find, which leaves its queue when it is served.
local function parsedWaiter(waiter)
  local known = parsedWaiters[waiter]
  if not known then
    local wait = sub(waiter, SHARED.presenceLength + 2)
    known = { presence = sub(waiter, 1, SHARED.presenceLength), wait = wait, delivery = PUSH.delivery .. wait .. '\t',
      shown = PUSH.shown .. wait .. '\t', once = byte(wait) ~= WAIT_BYTES.offer }
    if waitersCount >= MOST_WAITERS then parsedWaiters, waitersCount = {}, 0 end
    parsedWaiters[waiter], waitersCount = known, waitersCount + 1
  end
  return known
end

-- Returns whether a signature has one of these tokens; true if none are given.
local function hasOneOf(tokens, signature)
  if not tokens then return true end
  for i = 1, #tokens do if find(signature, '|' .. tokens[i] .. '|', 1, true) then return true end end
  return false
end

-- Returns whether an entry matches the template of a wait that shares only the first field with others in its queue.
local function conforms(waiter, signature)
  local who = parsedWaiter(waiter)
  local spec = specOf(who.presence, who.wait)
  if not spec then return false end
  for i = 1, #spec.indexed do if not find(signature, '|' .. spec.indexed[i] .. '|', 1, true) then return false end end
  for i = 1, #spec.verified do if not find(signature, '|' .. spec.verified[i] .. '|', 1, true) then return false end end
  if spec.conditions and not LATER.conditions.hold(LATER.conditions.of(spec.conditions), signature, 1) then return false end
  return hasOneOf(spec.anyOf, signature)
end

-- Returns the presences that hold a suspect, each as a key.
local function holdersOfSuspects()
  if not exists(keys.suspects) then return {} end
  local all, set = call('HVALS', keys.suspects), {}
  for i = 1, #all do set[all[i]] = true end
  return set
end

-- Returns whether a take waits under a transaction that has ended; the take may still be in its queue.
local function hasEnded(waiter)
  if byte(waiter, SHARED.presenceLength + 2) ~= WAIT_BYTES.takeUnder then return false end
  local who = parsedWaiter(waiter)
  local spec = specOf(who.presence, who.wait)
  return not spec or not isOpen(spec.tx)
end

-- Sorts the waiters of a queue whose scores have been set since it was read.
local function orderOf(queue)
  if not queue.order then
    local order, score = {}, queue.score
    for waiter in pairs(score) do order[#order + 1] = waiter end
    table.sort(order, function(a, b) return score[a] > score[b] end)
    queue.order, queue.from = order, 1
  end
  return queue.order
end

-- Returns the place of the best waiter of a queue, as far as the queue was read, that may have an entry; nil if there
-- is none. `avoided`: presences that may not.
local function placeOfBest(queue, verify, avoided, signature)
  local order = orderOf(queue)
  for at = queue.from, #order do
    local waiter = order[at]
    if (not verify or conforms(waiter, signature)) and not (avoided and avoided[parsedWaiter(waiter).presence])
      and not hasEnded(waiter) then
      return at
    end
  end
end

-- Returns a queue, read far enough, with the place of its best waiter.
local function bestIn(key, verify, avoided, signature)
  local queue = waitQueues[key]
  if queue and not verify and not avoided and queue.order then
    -- Mostly the first of those that were read: an offer.
    local best = queue.order[queue.from]
    if best and byte(best, SHARED.presenceLength + 2) == WAIT_BYTES.offer
      and (queue.whole or queue.score[best] >= queue.floor) then
      return queue, queue.from
    end
  end
  queue = queueOf(key, verify or avoided)
  local at = placeOfBest(queue, verify, avoided, signature)
  -- Waiters that were not read are better than one below the floor. If none of those that were read may have the entry,
  -- all are read.
  while not queue.whole and not (at and queue.score[queue.order[at]] >= queue.floor) do
    queue = widened(queue, not at and queue.from <= #queue.order)
    at = placeOfBest(queue, verify, avoided, signature)
  end
  return queue, at
end

-- Takes one credit from the waiter at a place in the order of its queue, and moves it behind those with more.
local function useCredit(queue, at)
  local order, score = queue.order, queue.score
  local waiter = order[at]
  local rest = score[waiter] - SHARED.creditStep
  queue.changed[waiter] = true
  if rest <= 0 then
    score[waiter] = nil
    if at == queue.from then queue.from = at + 1 else table.remove(order, at) end
    return waiter
  end
  score[waiter] = rest
  while order[at + 1] and score[order[at + 1]] > rest do
    order[at] = order[at + 1]
    at = at + 1
  end
  order[at] = waiter
  return waiter
end

-- Returns the waiter to hand an entry to: the one with most free credit, then the one that has waited longest. Reduces
-- its credit by one.
local function pickTaker(info, isSuspected)
  local avoided = isSuspected and holdersOfSuspects() or nil
  local candidates = queuesFor(info, TAKE)
  local best, place, bestScore = nil, nil, 0
  for i = 1, #candidates do
    local queue, at = bestIn(candidates[i][1], candidates[i][2], avoided, info.text)
    local score = at and queue.score[queue.order[at]] or 0
    if score > bestScore then best, place, bestScore = queue, at, score end
  end
  return best and useCredit(best, place)
end

-- Most waits that are looked at; a process with more compares nothing.
local MOST_COMPARED = 64

-- Returns the number of claims, the number of finds and offers that are in their queues, and the free credit of the
-- offers, separated by blanks; '' if there are too many waits.
local function knownOf(presence)
  local own = keysOf(presence)
  if call('HLEN', own.waits) > MOST_COMPARED then return '' end
  local waits, count, credit = call('HKEYS', own.waits), 0, 0
  for i = 1, #waits do
    local kind, spec = byte(waits[i]), specOf(presence, waits[i])
    local isOffer = kind == WAIT_BYTES.offer
    if spec and (isOffer or kind == WAIT_BYTES.take or kind == WAIT_BYTES.read) and isDeclared(spec) then
      local score = tonumber(call('ZSCORE', spec.key, presence .. ':' .. waits[i]) or 0)
      if isOffer or score > 0 then count = count + 1 end
      if isOffer then credit = credit + math.ceil(score / SHARED.creditStep) end
    end
  end
  return call('SCARD', own.claims) - 1 .. ' ' .. count .. ' ' .. credit
end
