-- The state of a call: its time, the counters of the partition, and the writes that it has noted.
--
-- Calls run one at a time, so the state is in these locals; begin() resets all of them, except what memory.lua keeps.
-- An operation checks and reads first, then only notes its writes; flush() performs them. So an operation that fails
-- leaves nothing half done.
-- shares: self, ownKeys, nonce, now, wall, nowText, counters, argv, position, countersChanged, newRecords
-- shares: newIndexed, newClaims, newOutcomes, sweepLists, completions, putCount, dirty, credits
-- shares: waitQueues, specs, claimsMade, tokenBase
-- shares: bounded, facts, LATER, OPS, LAYOUT, exists, begin, saveCounters
-- shares: flushRecords, flushQueue, flush

-- The layout of the data that this library writes; it also works in those from oldestLayout on (layout.lua).
local LAYOUT = SHARED.layout
-- How far ahead numbers are saved, so that most calls use them without saving the counters: tokens by more than the
-- second after which the clocks are saved, since they follow the clock in µs.
local TOKENS_AHEAD, NUMBERS_AHEAD = 1100000, 1024
-- If the wall clock steps while processes are connected, the lease clock follows by at most this in one call.
local LONGEST_STEP_MS = 5000

local self       -- the presence whose process made this call
local ownKeys    -- its keys
local serverRun  -- the run id of the server that the process believes to speak to
local nonce      -- distinguishes the tokens of this call from those of any other history
local argv       -- the arguments of the call
local position   -- where those of the operation that runs begin
local now        -- the lease clock, ms
local wall       -- the server's wall clock, ms
local nowText    -- the lease clock as 13 digits
local counters
local countersChanged
-- The stored text of the counters, which tables it was read from or packed into, and up to which token, order of writing
-- and order of waiting it lets this library go. In keys.left between the calls of a space (memory.lua).
local saved

-- The writes that flush() performs.
local newRecords, newIndexed, newClaims, newOutcomes, sweepLists = {}, {}, {}, {}, {}
local putCount, dirty
-- Completions are settled together at the end of a call.
local completions = { n = 0, slots = {}, headers = {}, claims = {}, outcomes = {}, effects = {} }
local credits = {}         -- by offer: the credit that it gains in this call
-- Queues and specs of waits that this call has read.
local waitQueues, specs = {}, {}
-- By key and by presence: whether it exists; by transaction: when its lease ends; by mode@kind: the shapes of waits; and
-- others of the call.
local facts = {}
local claimsMade           -- how many claims this call has made
local tokenBase            -- what their tokens begin with
local bounded              -- whether this call keeps to bounds (bound.lua)

-- Functions of later files, for use in earlier files.
local LATER = {}
-- The function of each operation, by its name in protocol.ts.
local OPS = {}

-- Returns whether there is such a key.
local function exists(key)
  local known = facts[key]
  if known == nil then
    known = call('EXISTS', key) == 1
    facts[key] = known
  end
  return known
end

-- Returns whether any process is connected; if none is, nothing depends on the lease clock.
local function anyoneConnected()
  local ids = call('ZRANGE', keys.presences, 0, 31)
  if #ids == 0 then return false end
  for i = 1, #ids do ids[i] = keysOf(ids[i]).pushes end
  local subscribers = call('PUBSUB', 'SHARDNUMSUB', unpack_(ids))
  for i = 2, #subscribers, 2 do if subscribers[i] > 0 then return true end end
  return false
end

-- After a restart of the server, or a failover to a replica, every presence gets a full lease to come back; a third of
-- it at least, if it did not come back in the history before either. `isLoaded`: the data come from files.
local function newHistory(isLoaded)
  local before = counters.run
  counters.run, counters.generation = serverRun, nil
  counters.gone = ''
  -- Loaded data are compared once (repair.lua), and may lack records.
  if isLoaded then counters.scan, counters.loaded = '0', true end
  countersChanged = true
  if wall > now then now = wall end
  local all = call('ZRANGE', keys.presences, 0, -1)
  for i = 1, #all do
    local wasThere = before == '' or call('HGET', keysOf(all[i]).presence, 'run') == before
    if wasThere then
      call('ZADD', keys.presences, now + SHARED.presenceLeaseMs, all[i])
    else
      call('ZADD', keys.presences, 'GT', now + SHARED.presenceLeaseMs / 3, all[i])
    end
  end
  facts.cameFromBefore = all
end

local function forgetLastCall()
  if next(newRecords) then newRecords = {} end
  if next(newIndexed) then newIndexed = {} end
  if next(newClaims) then newClaims = {} end
  if next(newOutcomes) then newOutcomes = {} end
  if next(sweepLists) then sweepLists = {} end
  if next(waitQueues) then waitQueues = {} end
  if next(specs) then specs = {} end
  if next(credits) then credits = {} end
  if next(facts) then facts = {} end
  if completions.n > 0 then completions = { n = 0, slots = {}, headers = {}, claims = {}, outcomes = {}, effects = {} } end
  putCount, dirty, bounded = 0, false, false
  claimsMade, tokenBase = 0, nil
end

-- Returns new counters. `seq`: the order of writing goes on from there.
local function newCounters(seq, layout)
  return { layout = layout, run = '', clock = wall, wall = wall, tok = 0, seq = seq, wait = 0, look = 0,
    sweep = floor(wall / 1000), gone = '', askedFull = 0, full = false, from = 0, due = 0 }
end

-- Returns a sum that shows damage; throws an error if a number is missing. Every step is exact: tok and generation are about
-- 2^51, all others are far smaller.
local function sumOfCounters(c, layout)
  return layout + c.tok + c.clock * 2 + c.wall * 3 + c.seq * 7 + c.wait * 11 + c.look * 13 + c.sweep * 17 + c.askedFull * 19
    + c.from * 23 + c.due * 29 + (c.generation or 0) * 2 + (c.tickets or 0) * 31 + (c.large or 0) * 37 + (c.ticketCount or 0) * 41 + (c.step or 0) * 43 + #c.gone
end

-- Returns whether the sum of counters is that of a layout.
local function hasSumOf(layout)
  local isWhole, sum = pcall(sumOfCounters, counters, layout)
  return isWhole and counters.sum == sum
end

-- Reads the counters. Damaged ones begin anew: the order of writing goes on from a number that no space has reached,
-- and all presences get a full lease. Counters of a layout that this library does not know are left as they are.
local function readCounters(packed)
  counters = unpacked(packed)
  local layout = counters and counters.layout
  if type(layout) == 'number' and layout >= SHARED.oldestLayout and layout <= LAYOUT then
    if hasSumOf(layout) then return end
  else
    -- The layout alone may be damaged.
    for known = SHARED.oldestLayout, LAYOUT do
      if hasSumOf(known) then
        counters.layout = known
        return
      end
    end
    if counters and type(layout) == 'number' then return end
    layout = LAYOUT
  end
  counters = newCounters(wall, layout)
  -- When something ends next, and whether a commit is unfinished, is found out anew.
  counters.damaged, counters.due, counters.spanning, counters.moving = true, 1, true, LATER.isMoving()
end

-- Finds the counters as the last call has left them, and returns their stored text. If the text is the one that this
-- library has saved last, no other library has used them since, and they are still decoded; their numbers may be ahead of
-- the text, within what it reserves. Otherwise this call saves them, so that no other library does the same.
-- Until the call has ended there is nothing to go on from: after an error the counters are read again.
local function findCounters(key)
  saved, keys.left = keys.left, nil
  local packed = call('GET', key)
  if packed and saved and saved.text == packed then
    counters = saved.counters
  else
    saved = nil
    if packed then readCounters(packed) else counters = newCounters(0, LAYOUT) end
  end
  return packed
end

local function begin(countersKey, presence, run)
  if not call then bind() end
  useKeys(sub(countersKey, 1, -1 - #KEYS.counters.name))
  self, serverRun, ownKeys = presence, run, keysOf(presence)
  forgetLastCall()
  local time = call('TIME')
  local us = time[1] * 1000000 + time[2]
  wall = floor(us / 1000)
  local packed = findCounters(countersKey)
  local known = counters.run == run
  local clock, passed = counters.clock, wall - counters.wall
  -- A token is greater than every one before it, even after a failover that lost the last ones.
  counters.tok = counters.tok < us and us or counters.tok + 1
  -- The two clocks are saved at least every second, so that the time between two calls can be told from a step.
  countersChanged = passed < 0 or passed >= 1000
  if passed < 0 or passed > LONGEST_STEP_MS then
    if known and anyoneConnected() then
      passed = passed < 0 and 0 or LONGEST_STEP_MS
    else
      passed = wall > clock and wall - clock or 0
    end
  end
  now = clock + passed
  -- A look has no presence, and writes nothing.
  if not known and presence ~= '' then newHistory(packed) end
  nowText = format('%013.0f', now)
  if counters.damaged then
    counters.damaged, countersChanged = nil, true
    LATER.noteDamage('counters')
  end
end

-- Saves the counters if something has changed that must be kept, or a number has passed what is reserved.
local function saveCounters()
  keys.next = saved
  if saved and not countersChanged and counters.tok <= saved.tok and counters.seq <= saved.seq
    and counters.wait <= saved.wait then
    return
  end
  local tok, seq, wait = counters.tok, counters.seq, counters.wait
  counters.clock, counters.wall = now, wall
  -- Libraries of two releases that take turns reserve nothing: each would waste what the other has left.
  if saved then
    counters.tok, counters.wait = tok + TOKENS_AHEAD, wait + NUMBERS_AHEAD
    counters.seq = seq + NUMBERS_AHEAD * (counters.step or 1)
  end
  counters.sum = sumOfCounters(counters, counters.layout)
  -- Packed: formatting and parsing a dozen numbers would cost more than most operations.
  saved = { text = cmsgpack.pack(counters), counters = counters, tok = counters.tok, seq = counters.seq, wait = counters.wait }
  counters.tok, counters.seq, counters.wait = tok, seq, wait
  call('SET', keys.counters, saved.text)
  keys.next = saved
end

-- Makes the noted entries visible to searches of the same call.
local function flushRecords()
  if not dirty then return end
  if putCount > 0 then
    many('HSET', keys.entries, newRecords)
    newRecords, putCount = {}, 0
  end
  for key, list in pairs(newIndexed) do many('ZADD', key, list) end
  newIndexed, dirty = {}, false
end

-- Writes the changes of a queue of waiters. A waiter without credit leaves the queue.
local function flushQueue(queue)
  local only = next(queue.changed)
  if not only then return end
  if next(queue.changed, only) == nil then
    local score = queue.score[only]
    if score then call('ZADD', queue.key, score, only) else call('ZREM', queue.key, only) end
    queue.changed = {}
    return
  end
  local gone, moved = {}, {}
  for waiter in pairs(queue.changed) do
    local score = queue.score[waiter]
    if score then
      moved[#moved + 1] = score
      moved[#moved + 1] = waiter
    else
      gone[#gone + 1] = waiter
    end
  end
  queue.changed = {}
  if #gone > 0 then many('ZREM', queue.key, gone) end
  if #moved > 0 then many('ZADD', queue.key, moved) end
end

local function flush()
  flushRecords()
  for second, list in pairs(sweepLists) do if #list > 0 then many('RPUSH', sweepKey(second), list) end end
  for _, queue in pairs(waitQueues) do flushQueue(queue) end
  for presence, list in pairs(newClaims) do many('SADD', keysOf(presence).claims, list) end
  for presence, list in pairs(newOutcomes) do many('HSET', keysOf(presence).outcomes, list) end
  sweepLists, waitQueues, newClaims, newOutcomes = {}, {}, {}, {}
end
