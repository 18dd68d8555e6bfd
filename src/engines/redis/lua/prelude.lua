-- What every operation stands on: the call's time, the partition's counters, and the writes of the call, gathered and made at its end.
--
-- One call at a time runs, so what a call works on lives in these locals; begin() sets all of them anew. An operation first checks and
-- reads, then only notes what is to be written; flush() writes. So nothing that an operation does can leave a half-done step behind.
--
-- The joined files are one function, and Lua gives that 200 locals: the build ends those of a file with it where no later file names them.
-- shares: call, find, sub, format, concat, floor, ceil, byte, gmatch, unpack_, SESSION_LEASE_MS, PRIORITY_STEP
-- shares: SCORE_ZERO, CREDIT_STEP, NEVER, BODY_GRACE_MS, BODY_UNWRITTEN_MS, LAYOUT, P, SID, RUN, NONCE, now, wall
-- shares: now13, meta, metaDirty, puts, adds, claims, outs, buckets, done, putCount, dirty, sigs, shapes, lines
-- shares: specs, living, forms, policies, claimsMade, tokenBase, members, bounded, txs, facts, KEPT, TICKET, LATER
-- shares: OPS, bind, many, textOf, scoreText, append, isThere, begin, saveMeta, flushPuts, flushLine, flush, publish
-- shares: lengthOf, push

local call, find, sub, format, concat, floor, ceil, byte, gmatch, unpack_

-- A session is renewed every third of this; a process that is frozen for longer has lost what it held.
local SESSION_LEASE_MS = 15000
-- The wall may step; while processes are connected the lease clock follows it by at most this in one call.
local LONGEST_STEP_MS = 5000
-- Priorities stand above the order of writing in one exact number, moved up so that it is never negative.
local PRIORITY_STEP = 2 ^ 44
local SCORE_ZERO = 2 ^ 52
-- Free credit stands above the order of waiting, likewise.
local CREDIT_STEP = 2 ^ 36
local NEVER = '9999999999999'
-- Only a safety net, as where a large body is written: it goes with its entry.
local BODY_GRACE_MS = 86400000
-- Until it has its entry, or its outcome has arrived (bodies.ts).
local BODY_UNWRITTEN_MS = 7200000
-- The layout of the data that this library reads and writes.
local LAYOUT = 1

local P          -- the prefix of every key of this partition
local SID        -- the session whose process made this call
local RUN        -- the run id of the server it believes to speak to
local NONCE      -- makes the tokens of this call unlike those of any other history
local now        -- the lease clock, ms
local wall       -- the server's wall clock, ms
local now13      -- the lease clock as 13 digits
local meta       -- the partition's counters
local metaDirty

local puts, adds, claims, outs, buckets = {}, {}, {}, {}, {}
local pushes, full = {}, {}
local done = { n = 0, slots = {}, forms = {}, claims = {}, outcomes = {}, along = {} }
local putCount, dirty
local sigs, shapes, lines, specs, living, forms, policies = {}, {}, {}, {}, {}, {}, {}
local claimsMade -- how many claims this call has made, and the number that all their tokens begin with
local tokenBase
local members = {} -- what a member of a line stands for
local bounded    -- whether this call keeps to bounds (bound.lua)
local txs, facts = {}, {} -- when transactions end, and what is known of the partition; both asked for at most once in a call

-- The session that stands for nobody: a request of it is kept, and what it comes to is told to its ticket (tickets.lua).
local KEPT = '----------------------'
-- The root of all tickets.
local TICKET = 'takespace.Ticket'
local LATER = {} -- functions of later files that earlier ones call

local OPS = {}   -- one function per operation, keyed by the letter that asks for it

-- Library loading forbids these names; they are bound by the first call.
local DIGITS = {} -- '000' to '999': printf of a number costs more than everything else that is done with it
local NUMBERS = {}
local LENGTHS = {}

local function bind()
  -- The heap of this library is small and what it makes is garbage at once: collecting at twice its size would be most of the work.
  collectgarbage('setpause', 500)
  for i = 0, 999 do DIGITS[i] = ('%03d'):format(i) end
  call, find, sub, format, concat = redis.call, string.find, string.sub, string.format, table.concat
  floor, ceil, byte, gmatch, unpack_ = math.floor, math.ceil, string.byte, string.gmatch, unpack
end

-- Variadic commands take at most so many values from Lua's stack.
local function many(command, key, list)
  local n = #list
  if n <= 4000 then return call(command, key, unpack_(list)) end
  for i = 1, n, 4000 do call(command, key, unpack_(list, i, i + 3999 < n and i + 3999 or n)) end
end

-- Small numbers as text.
local function textOf(n)
  local known = NUMBERS[n]
  if not known then
    known = format('%d', n)
    if n < 4096 then NUMBERS[n] = known end
  end
  return known
end

-- A score as 16 digits. Most of them are the same throughout a call.
local lastHigh, lastHighText
local function scoreText(score)
  local high = floor(score / 1000)
  if high ~= lastHigh then lastHigh, lastHighText = high, format('%013.0f', high) end
  return lastHighText .. DIGITS[score - high * 1000]
end

local function append(map, key, value)
  local list = map[key]
  if list then list[#list + 1] = value else map[key] = { value } end
end

-- Whether there is such a key.
local function isThere(suffix)
  local known = facts[suffix]
  if known == nil then
    known = call('EXISTS', P .. suffix) == 1
    facts[suffix] = known
  end
  return known
end

-- Whether any process at all is connected; if none is, nobody's trust hangs on the lease clock.
local function anyoneConnected()
  local ids = call('ZRANGE', P .. 'S', 0, 31)
  if #ids == 0 then return false end
  for i = 1, #ids do ids[i] = P .. '!' .. ids[i] end
  local subs = call('PUBSUB', 'NUMSUB', unpack_(ids))
  for i = 2, #subs, 2 do if subs[i] > 0 then return true end end
  return false
end

-- A server that was restarted, or a replica that was promoted: everybody gets time to come back.
local function newHistory()
  meta.run = RUN
  meta.gone = ''
  metaDirty = true
  if wall > now then now = wall end
  local all = call('ZRANGE', P .. 'S', 0, -1)
  for i = 1, #all do call('ZADD', P .. 'S', now + SESSION_LEASE_MS, all[i]) end
end

local function begin(key, sid, run)
  if not call then bind() end
  P, SID, RUN = sub(key, 1, -2), sid, run
  local time = call('TIME')
  local us = time[1] * 1000000 + time[2]
  wall = floor(us / 1000)
  -- Packed, because printing and reading a dozen numbers would cost more than most operations.
  local kept = call('GET', key)
  if kept then
    meta = cmsgpack.unpack(kept)
  else
    meta = { layout = LAYOUT, run = '', clock = wall, wall = wall, tok = 0, seq = 0, wait = 0, look = 0, sweep = floor(wall / 1000),
      gone = '', askedFull = 0, full = false, from = 0, due = 0 }
  end
  local known = meta.run == run
  local clock, passed = meta.clock, wall - meta.wall
  -- A token is greater than every one before it, also after a failover that forgot the last ones.
  meta.tok = meta.tok < us and us or meta.tok + 1
  claimsMade, tokenBase = 0, nil
  -- The two clocks are kept at least so often that what passed between two calls can be told from a step.
  metaDirty = passed < 0 or passed >= 1000
  if passed < 0 or passed > LONGEST_STEP_MS then
    if known and anyoneConnected() then
      passed = passed < 0 and 0 or LONGEST_STEP_MS
    else
      passed = wall > clock and wall - clock or 0
    end
  end
  now = clock + passed
  if next(puts) then puts = {} end
  if next(adds) then adds = {} end
  if next(claims) then claims = {} end
  if next(outs) then outs = {} end
  if next(pushes) then pushes = {} end
  if next(buckets) then buckets = {} end
  if next(sigs) then sigs = {} end
  if next(shapes) then shapes = {} end
  if next(lines) then lines = {} end
  if next(specs) then specs = {} end
  if next(living) then living = {} end
  if next(forms) then forms = {} end
  if next(policies) then policies = {} end
  if next(members) then members = {} end
  if next(full) then full = {} end
  if next(txs) then txs = {} end
  if next(facts) then facts = {} end
  if done.n > 0 then done = { n = 0, slots = {}, forms = {}, claims = {}, outcomes = {}, along = {} } end
  putCount, dirty = 0, false
  bounded = false
  if not known then newHistory() end
  now13 = format('%013.0f', now)
end

local function saveMeta()
  meta.clock, meta.wall = now, wall
  call('SET', P .. 'm', cmsgpack.pack(meta))
end

-- Makes the noted entries visible to searches of this same call.
local function flushPuts()
  if not dirty then return end
  if putCount > 0 then
    many('HSET', P .. 'e', puts)
    puts, putCount = {}, 0
  end
  for key, list in pairs(adds) do many('ZADD', key, list) end
  adds, dirty = {}, false
end

-- The changes of a line of waiters, member by member: out of credit, out of the line.
local function flushLine(line)
  local gone, moved = {}, {}
  for member in pairs(line.changed) do
    local score = line.score[member]
    if score and score > 0 then
      moved[#moved + 1] = score
      moved[#moved + 1] = member
    else
      gone[#gone + 1] = member
    end
  end
  line.changed = {}
  if #gone > 0 then many('ZREM', line.key, gone) end
  if #moved > 0 then many('ZADD', line.key, moved) end
end

local function flush()
  flushPuts()
  for second, list in pairs(buckets) do if #list > 0 then many('RPUSH', P .. 'x' .. second, list) end end
  for _, line in pairs(lines) do flushLine(line) end
  for sid, list in pairs(claims) do many('SADD', P .. 'c' .. sid, list) end
  for sid, list in pairs(outs) do many('HSET', P .. 'o' .. sid, list) end
  buckets, lines, claims, outs, forms = {}, {}, {}, {}, {}
end

-- Lua hashes every byte of every string it makes, and of a long concatenation twice; beyond this size, two messages cost less than one.
local LARGEST_PUSH = 7000

local function send(sid, list)
  call('PUBLISH', P .. '!' .. sid, concat(list))
end

-- The push is a hint and the store the truth: replicas and the AOF are spared it.
local function publish()
  if next(pushes) == nil then return end
  redis.set_repl(redis.REPL_NONE)
  for sid, lists in pairs(full) do for i = 1, #lists do send(sid, lists[i]) end end
  for sid, list in pairs(pushes) do send(sid, list) end
  redis.set_repl(redis.REPL_ALL)
  pushes, full = {}, {}
end

-- How a push says how many bytes follow.
local function lengthOf(bytes)
  local n = #bytes
  local known = LENGTHS[n]
  if not known then
    known = '\t' .. n .. '\n'
    if n < 4096 then LENGTHS[n] = known end
  end
  return known
end

-- One item of a push: a letter with a word behind it, another word, and as many bytes as it says.
local function push(sid, a, b, bytes)
  local list = pushes[sid]
  if not list or list.size > LARGEST_PUSH then
    if list then append(full, sid, list) end
    list = { now13, size = 0, n = 1 }
    pushes[sid] = list
  end
  -- Counted here, because the length operator searches.
  local n = list.n
  list[n + 1], list[n + 2], list[n + 3], list[n + 4] = a, b, lengthOf(bytes), bytes
  list.n, list.size = n + 4, list.size + #bytes + 80
end
