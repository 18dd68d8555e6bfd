-- The functions that clients call: a batch of operations, and the beat of a quiet process. session-save.lua and
-- rights.lua have two more.

-- Time between two beats in a quiet space, whose processes take turns.
local BEAT_MS = 330
-- Time until the next beat if more is due than one call may end.
local DUE_AGAIN_MS = 20
-- Time until the next beat of a process that may not touch the data.
local LONGEST_ROUND_MS = 5000

-- Runs each operation in order. Operations come in runs of one name: name, count, then the arguments of each.
local function runOperations(first)
  local i, n = first, #argv
  while i <= n do
    local name = argv[i]
    local operation, arity, count = OPS[name], ARGUMENTS[name], tonumber(argv[i + 1])
    i = i + 2
    if name == 'write' then
      local written
      repeat
        written = count > 0 and writeStraight(i, count) or 0
        i, count = i + written * arity, count - written
      until written == 0
    end
    if HAS_ENTRIES[name] then
      for _ = 1, count do
        position = i
        -- The number of entries, then three values for each.
        local from = i + arity + 1
        local last = from - 1 + tonumber(argv[from - 1]) * 3
        if arity == 0 then operation(from, last)
        elseif arity == 1 then operation(argv[i], from, last)
        else operation(argv[i], argv[i + 1], argv[i + 2], argv[i + 3], from, last)
        end
        i = last + 1
      end
    elseif arity <= 3 then
      for _ = 1, count do
        position = i
        operation(argv[i], argv[i + 1], argv[i + 2])
        i = i + arity
      end
    else
      for _ = 1, count do
        position = i
        operation(unpack_(argv, i, i + arity - 1))
        i = i + arity
      end
    end
  end
end

-- Returns why this library must not touch the data, or nil. It works in an older layout that it knows as processes of that
-- layout do. Another older one is taken over if it holds no data: under the keys of layout 1, which had one letter each, or
-- of a later layout.
local function refusalOfLayout()
  if counters.layout == LAYOUT then return nil end
  if counters.layout > LAYOUT then return REFUSAL.dataNewer end
  if counters.layout >= SHARED.oldestLayout then return nil end
  if call('EXISTS', prefix .. 'e', prefix .. 'S', keys.entries, keys.presences) > 0 then return REFUSAL.dataOlder end
  call('UNLINK', prefix .. 'K')
  counters.layout = LAYOUT
  countersChanged = true
end

-- Returns the reply to a batch that must not run: it has run before, or its presence is not there; nil if it is to run.
-- Also returns the greatest number that has run: a number above it is new, which mostly is known without reading.
local function repeated(number)
  local last = memory.numbers[self]
  if last and tonumber(number) > last then return nil, last end
  local known = call('HMGET', ownKeys.presence, 'run', 'last', tonumber(number) % SHARED.remembered)
  if not known[1] then return { REFUSAL.presence } end
  if not last then
    last = tonumber(known[2]) or 0
    remember('numbers', self, last)
  end
  return known[3] and replay(known[3], number), last
end

-- Keeps what is remembered of a batch that has run. `last`: the greatest number of those that have run before.
local function keepReplies(number, last, remembered)
  local n = tonumber(number)
  local slot = n % SHARED.remembered
  if n <= last then return call('HSET', ownKeys.presence, slot, remembered) end
  memory.numbers[self] = n
  call('HSET', ownKeys.presence, slot, remembered, 'last', number)
end

-- KEYS: the counters. ARGV: presence, number of the batch, run id, mode (MODE in protocol.ts), nonce, then the
-- operations.
-- Reply: a character per operation, the lease clock, then the values that follow some characters. If the batch did not
-- run, the first element says why and begins with ! (REFUSAL).
local function batch(names, arguments)
  argv = arguments
  begin(names[1], argv[1], argv[3])
  local refusal = refusalOfLayout()
  if refusal then return { refusal } end
  recall()
  if facts.cameFromBefore then LATER.endAllWaits(facts.cameFromBefore) end
  local number, mode = argv[2], argv[4]
  nonce = argv[5]
  if mode == MODE.join then
    local born = join()
    LATER.raiseLayout()
    countersChanged = true
    saveCounters()
    endCall()
    return { REPLY.done, nowText, born }
  end
  local refused, last = repeated(number)
  if refused then return refused end
  if mode == MODE.askOnly then return { REFUSAL.unrecorded } end
  if mode == MODE.runAndRenew then call('ZADD', keys.presences, now + SHARED.presenceLeaseMs, self) end

  beginReplies(number)
  endDue()
  local written = counters.seq
  runOperations(6)
  settleCompletions()
  if next(credits) then refillOffers() end
  sweepAfter((counters.seq - written) / (counters.step or 1))
  watchPresences()
  if facts.recheck and exists(keys.ifExists) then endVainWaits() end
  flush()
  saveCounters()
  local replies, remembered = endReplies()
  -- A process that has left leaves nothing behind.
  if facts[self] ~= false then keepReplies(number, last, remembered) end
  publish()
  endCall()
  return replies
end

-- KEYS: the counters. ARGV: presence, run id, 1 if the presence is to be renewed.
-- Reply: ms until this process's next turn, or -1 if its presence has ended; the lease clock; the number of the last
-- push to the process before this call; what the process holds and waits for, as the space has it.
local function beat(names, arguments)
  argv = arguments
  begin(names[1], argv[1], argv[2])
  -- The data of another release; its batches refuse them.
  if counters.layout > LAYOUT or counters.layout < SHARED.oldestLayout then return { LONGEST_ROUND_MS, nowText, textOf(pushedTo(self)), '' } end
  recall()
  if facts.cameFromBefore then LATER.endAllWaits(facts.cameFromBefore) end
  recall(true)
  nonce = '.b'
  local pushed = textOf(pushedTo(self))
  if argv[3] == '1' then call('ZADD', keys.presences, 'XX', now + SHARED.presenceLeaseMs, self) end
  local dead, list = watchPresences(true)
  endDue()
  sweepInBeat()
  local isConverting = LATER.raiseLayout()
  local untilScan = LATER.scan()
  if facts.recheck and exists(keys.ifExists) then endVainWaits() end
  flush()
  if dead > 0 then countersChanged = true end
  saveCounters()
  publish()
  local known = knownOf(self)
  endCall()
  if untilScan then return { untilScan, nowText, pushed, known } end
  if isConverting then return { DUE_AGAIN_MS, nowText, pushed, known } end
  if counters.gone ~= '' then return { SHARED.graceMs + 10, nowText, pushed, known } end
  -- The end of a large transaction, or of many, goes on in the next call.
  if counters.due ~= 0 and counters.due <= now then return { DUE_AGAIN_MS, nowText, pushed, known } end

  if not list then
    if call('EXISTS', ownKeys.presence) == 0 then return { -1, nowText, pushed, known } end
    return { call('ZCARD', keys.presences) * BEAT_MS, nowText, pushed, known }
  end
  -- Turns follow the order of names: no counter and no timetable, and a process that joins or leaves only shifts them.
  local count, rank, isKnown = #list / 2, 0, false
  for i = 1, #list, 2 do
    if list[i] < self then rank = rank + 1 end
    if list[i] == self then isKnown = true end
  end
  if not isKnown and call('EXISTS', ownKeys.presence) == 0 then return { -1, nowText, pushed, known } end
  local round = count * BEAT_MS
  local untilTurn = (rank * BEAT_MS - wall % round) % round
  return { untilTurn < BEAT_MS / 2 and untilTurn + round or untilTurn, nowText, pushed, known }
end

-- The operations that may be called without a presence, and the commands by which they read.
local LOOKS = {
  backlog = true, count = true, kinds = true, list = true, listTransactions = true, lookAtTicket = true, plan = true,
  settledTickets = true,
}
local READS = { EXISTS = true, GET = true, HGET = true, HKEYS = true, HMGET = true, HSCAN = true, PUBSUB = true, SCARD = true,
  SMEMBERS = true, TIME = true, ZCARD = true, ZLEXCOUNT = true, ZRANGE = true, ZRANGEBYLEX = true,
  ZRANGEBYSCORE = true, ZSCORE = true }

-- Runs a command that reads. Searches also remove what has ended; here they only believe that they do.
local function readOnly(command, ...)
  return READS[command] and redis.call(command, ...) or 1
end

local function lookUp(names, arguments)
  argv = arguments
  begin(names[1], '', arguments[1])
  if counters.layout > LAYOUT then return { REFUSAL.dataNewer } end
  if counters.layout < SHARED.oldestLayout then return { REFUSAL.dataOlder } end
  if not LOOKS[argv[2]] then error(argv[2] .. ' is no operation of a look') end
  recall(true)
  nonce = ''
  beginReplies('0')
  runOperations(2)
  return (endReplies())
end

-- KEYS: the counters. ARGV: run id, then the operations. Reply: as of a batch. Writes nothing, so a user may call it
-- who may only read.
local function look(names, arguments)
  if not call then bind() end
  local calls = call
  call = readOnly
  local isDone, result = pcall(lookUp, names, arguments)
  call = calls
  return isDone and result or error(result)
end

redis.register_function{ function_name = 'VERSION_look', callback = look, flags = { 'no-writes' } }
redis.register_function{ function_name = 'VERSION_batch', callback = batch, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'VERSION_beat', callback = beat, flags = { 'allow-oom' } }
