-- Sessions: one leased session per process, under which all it holds is held; and who notices that one is gone.
-- shares: GRACE_MS, buryAll, missing, nextSessions, lookAround, hello

-- Longer than a reconnect takes: a wrong guess costs the client of a POST a 502.
local GRACE_MS = 250
-- How often a busy space looks, and how many sessions at a time.
local LOOK_MS = 50
local LOOKED_AT = 64

-- Its waits; registrations stay, for their owner may be back soon, and asks what it has missed.
local function forget(sid)
  local waits = call('HKEYS', P .. 'p' .. sid)
  for i = 1, #waits do
    local first = byte(waits[i])
    if first ~= 110 and first ~= 120 then unregister(sid, waits[i]) end
  end
end

-- The process is gone: what it held is there again, who waits gets it, and nothing of it stays. One that takes its leave gives back
-- what it did not start; that is no death, and counts as none.
local function bury(sid, leaving)
  flush()
  forget(sid)
  forgetTransactions(sid)
  flush()
  local held = call('SMEMBERS', P .. 'c' .. sid)
  call('ZREM', P .. 'S', sid)
  local outcomes = call('HGETALL', P .. 'o' .. sid)
  for i = 1, #outcomes, 2 do
    if byte(outcomes[i + 1]) == 67 then dropOutcome(sub(outcomes[i + 1], 2)) end
  end
  call('DEL', P .. 's' .. sid, P .. 'c' .. sid, P .. 'o' .. sid, P .. 'p' .. sid, P .. 'q' .. sid)
  living[sid] = false
  -- Who works on a request of it works for nobody.
  local all = call('ZRANGE', P .. 'S', 0, -1)
  for i = 1, #all do push(all[i], 'G' .. sid .. '\t', '', '') end
  for i = 1, #held do
    if find(held[i], ':', 1, true) then
      if leaving and byte(held[i], -1) ~= 33 then giveBack(held[i]) else recover(held[i]) end
    end
  end
  push(sid, 'B\t', '', '')
  flush()
end

-- Several at once: none of them is handed what another one held.
local function buryAll(dead)
  if #dead > 1 then
    flush()
    for i = 1, #dead do forget(dead[i]) end
  end
  for i = 1, #dead do bury(dead[i]) end
end

-- Who is missing, and since when: `session=ms` each, kept with the counters because it is nearly always empty.
local function readGone()
  local gone = {}
  for sid, since in gmatch(meta.gone, '([^=;]+)=(%d+)') do gone[sid] = tonumber(since) end
  return gone
end

local function saveGone(gone)
  local list = {}
  for sid, since in pairs(gone) do list[#list + 1] = sid .. '=' .. format('%.0f', since) end
  local text = concat(list, ';')
  if text ~= meta.gone then
    meta.gone = text
    metaDirty = true
  end
end

-- Looks whether each of these sessions has its connection and its lease. Answers who must be buried.
local function missing(list)
  local channels, dead = {}, {}
  for i = 1, #list, 2 do channels[#channels + 1] = P .. '!' .. list[i] end
  if #channels == 0 then return dead end
  local subs = call('PUBSUB', 'NUMSUB', unpack_(channels))
  local gone = meta.gone ~= '' and readGone() or {}
  for i = 1, #list, 2 do
    local sid = list[i]
    if tonumber(list[i + 1]) <= now then
      gone[sid] = nil
      dead[#dead + 1] = sid
    elseif subs[i + 1] > 0 then
      gone[sid] = nil
    elseif gone[sid] then
      if wall - gone[sid] >= GRACE_MS or wall < gone[sid] then
        gone[sid] = nil
        dead[#dead + 1] = sid
      end
    -- After a restart nobody has subscribed yet: a connection counts as lost only where there was one.
    elseif call('HGET', P .. 's' .. sid, 'run') == meta.run then
      gone[sid] = wall
    end
  end
  saveGone(gone)
  return dead
end

local function nextSessions()
  local list = call('ZRANGE', P .. 'S', meta.from, meta.from + LOOKED_AT - 1, 'WITHSCORES')
  local from = #list == LOOKED_AT * 2 and meta.from + LOOKED_AT or 0
  if from ~= meta.from then
    meta.from = from
    metaDirty = true
  end
  return list
end

local function lookAround()
  if wall < meta.look and meta.look - wall < 1000 then return end
  meta.look = wall + LOOK_MS
  metaDirty = true
  buryAll(missing(nextSessions()))
end

-- d: whoever saw a process die says so; a process says it of itself when it takes its leave. session
function OPS.d(argv, i, answer)
  if call('EXISTS', P .. 's' .. argv[i]) == 1 then bury(argv[i], argv[i] == SID) end
  answer('k')
  return i + 1
end

-- b: whoever sees that a process does not answer says so. It is handed nothing more until it joins again, which it does as soon as it reads
-- that it should. What it was handed and has not begun goes to others. session, how many it has begun (-1: unknown, it keeps all), their ids
function OPS.b(argv, i, answer)
  local sid, n, begun = argv[i], tonumber(argv[i + 1]), {}
  for j = 1, n do begun[argv[i + 1 + j]] = true end
  if sid ~= SID and call('EXISTS', P .. 's' .. sid) == 1 then
    flush()
    forget(sid)
    flush()
    local held = n >= 0 and call('SMEMBERS', P .. 'c' .. sid) or {}
    for j = 1, #held do
      -- Of a session entry that it has locked it may have changed something already.
      if find(held[j], ':', 1, true) and byte(held[j], -1) ~= 33 and byte(held[j]) ~= 36 and not begun[idOf(held[j])] then
        call('SREM', P .. 'c' .. sid, held[j])
        giveBack(held[j])
      end
    end
    push(sid, 'B\t', '', '')
    flush()
  end
  answer('k')
  return i + 2 + (n > 0 and n or 0)
end

-- y: after a reconnect, what the process knows to hold. Of the claims it does not know the push was lost: they are put back; but one
-- that had started was given up by its holder, as if that had died. Of those that the space does not know it is told. The same with its
-- transactions. Its waits are forgotten; it asks anew. Outcomes are told again. how many, then a claim or transaction each
function OPS.y(argv, i, answer)
  flush()
  local n, known = tonumber(argv[i]), {}
  for j = 1, n do known[argv[i + j]] = true end
  forget(SID)
  flush()
  local held = call('SMEMBERS', P .. 'c' .. SID)
  for j = 1, #held do
    local claim = held[j]
    if known[claim] then
      known[claim] = nil
      local rec = find(claim, ':', 1, true) and call('HGET', P .. 'e', idOf(claim))
      if rec and isRequest(rec) and not alive(replyTo(rec)) then push(SID, 'l', claim .. '\t', '') end
    elseif find(claim, ':', 1, true) then
      call('SREM', P .. 'c' .. SID, claim)
      if byte(claim, -1) == 33 then
        recover(claim)
      else
        giveBack(claim)
      end
    end
  end
  local names = isThere('T') and transactions() or {}
  for j = 1, #names do
    if sub(names[j], 1, 23) == SID .. '.' then
      if known[names[j]] then known[names[j]] = nil else undo(names[j]) end
    end
  end
  for claim in pairs(known) do
    if byte(claim, 23) == 46 and not find(claim, ':', 1, true) then
      push(SID, 'T', sub(claim, 23) .. '\t', '')
    else
      push(SID, 'l', claim .. '\t', '')
    end
  end
  local outcomes = call('HGETALL', P .. 'o' .. SID)
  for j = 1, #outcomes, 2 do push(SID, 'o', outcomes[j] .. '\t', outcomes[j + 1]) end
  answer('k')
  return i + n + 1
end

-- Opens the session, or finds it again. Answers which one it is: what was asked in another one of the same name is not remembered in this.
local function hello()
  local fresh = call('EXISTS', P .. 's' .. SID) == 0
  call('HSET', P .. 's' .. SID, 'run', RUN)
  call('ZADD', P .. 'S', now + SESSION_LEASE_MS, SID)
  -- It may be cut again before anybody has seen it here: then it has been missing since that, and not since the cut before.
  if meta.gone ~= '' then
    local gone = readGone()
    gone[SID] = nil
    saveGone(gone)
  end
  -- One long member keeps the set of claims, and the hash of answers, out of the encoding that is searched from end to end.
  if fresh then
    call('SADD', P .. 'c' .. SID, string.rep('-', 65))
    call('HSET', P .. 's' .. SID, '-', string.rep('-', 65), 'born', format('%.0f', meta.tok))
  end
  return call('HGET', P .. 's' .. SID, 'born') or ''
end
