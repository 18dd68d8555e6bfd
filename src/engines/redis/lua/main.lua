-- The functions that clients call, beside save: a batch of operations, and the beat of a process that has nothing to say.

-- Each beat of a quiet space is one process's; the next one's comes so much later.
local BEAT_MS = 330

-- KEYS: the partition's counters. ARGV: session, number of the batch, run id, mode, nonce, then the operations.
-- Modes: n runs it, R also renews the session; p only asks whether it ran; h opens the session.
-- Reply: one letter per operation, the lease clock, then the values that the letters announce. A first element of more than letters
-- begins with `!`: the batch did not run.
local function batch(keys, argv)
  begin(keys[1], argv[1], argv[3])
  if meta.layout ~= LAYOUT then return { '!DATA_NEWER' } end
  local mode, number = argv[4], argv[2]
  NONCE = argv[5]
  if mode == 'h' then
    local born = hello()
    saveMeta()
    return { 'K', now13, born }
  end
  local skey = P .. 's' .. SID
  local slot = tonumber(number) % 64
  local kept = call('HMGET', skey, 'run', slot)
  if not kept[1] then return { '!SESSION' } end
  if kept[2] then
    local answered = cmsgpack.unpack(kept[2])
    if answered[1] == number then return replay(answered) end
    if tonumber(answered[1]) > tonumber(number) then return { '!STALE' } end
  end
  if mode == 'p' then return { '!UNRECORDED' } end
  if mode == 'R' then call('ZADD', P .. 'S', now + SESSION_LEASE_MS, SID) end

  local letters, asked, out, keep, credits = {}, 0, { '', now13 }, { number, '' }, {}
  local function answer(letter, a, b, c)
    asked = asked + 1
    letters[asked] = letter
    if a then
      local n = #out
      out[n + 1], out[n + 2], out[n + 3] = a, b, c
      -- A record is found again under its id when the answer is asked for again.
      n = #keep
      keep[n + 1], keep[n + 2], keep[n + 3] = a, letter == 'p' and '' or b, c and ''
    end
    return asked
  end
  local function refuse(at) letters[at] = 'n' end
  endWhatIsDue()
  local written = meta.seq
  local i, n = 6, #argv
  while i <= n do i = OPS[argv[i]](argv, i + 1, answer, credits) end
  settle(argv, refuse)
  if next(credits) then refill(credits) end
  sweep(SWEPT_PER_CALL + SWEPT_PER_WRITE * (meta.seq - written))
  lookAround()
  if facts.recheck and isThere('I') then missIfExists() end
  flush()
  if metaDirty then saveMeta() end
  out[1] = concat(letters)
  keep[2] = out[1]
  -- A process that took its leave leaves nothing behind.
  if living[SID] ~= false then call('HSET', skey, slot, cmsgpack.pack(keep)) end
  publish()
  return out
end

-- KEYS: the counters. ARGV: session, run id, 1 if the session is to be renewed.
-- Reply: ms until this process's next turn, or -1 if it has no session (any longer); the lease clock.
local function beat(keys, argv)
  begin(keys[1], argv[1], argv[2])
  NONCE = '.b'
  if argv[3] == '1' then call('ZADD', P .. 'S', 'XX', now + SESSION_LEASE_MS, SID) end
  local list = nextSessions()
  local dead = missing(list)
  buryAll(dead)
  endWhatIsDue()
  if floor(now / 1000) - meta.sweep >= 5 then sweep(SWEPT_PER_BEAT) end
  if facts.recheck and isThere('I') then missIfExists() end
  flush()
  if metaDirty or #dead > 0 then saveMeta() end
  publish()
  if meta.gone ~= '' then return { GRACE_MS + 10, now13 } end

  -- Turns go round by name: no counter, no appointment book, and a process more or less only shifts them.
  local count, rank, known = #list / 2, 0, false
  for i = 1, #list, 2 do
    if list[i] < SID then rank = rank + 1 end
    if list[i] == SID then known = true end
  end
  if not known and call('EXISTS', P .. 's' .. SID) == 0 then return { -1, now13 } end
  local round = count * BEAT_MS
  local wait = (rank * BEAT_MS - wall % round) % round
  return { wait < BEAT_MS / 2 and wait + round or wait, now13 }
end

redis.register_function{ function_name = 'VERSION_batch', callback = batch, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'VERSION_beat', callback = beat, flags = { 'allow-oom' } }
