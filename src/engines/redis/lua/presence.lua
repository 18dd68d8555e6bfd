-- Presences: one leased registration per process, under which it holds what it holds; and how a dead one is noticed.
-- shares: endPresences, findDead, nextPresences, watchPresences, join

-- How often a busy space looks, and at how many presences at a time.
local LOOK_MS = 50
local LOOKED_AT = 64

-- Ends the waits of a presence. Registrations stay: their owner may be back soon, and asks what it has missed.
local function endWaits(presence)
  local waits = call('HKEYS', keysOf(presence).waits)
  for i = 1, #waits do
    local kind = byte(waits[i])
    if kind ~= WAIT_BYTES.registration and kind ~= WAIT_BYTES.registrationUnder then unregister(presence, waits[i]) end
  end
end

-- Returns whether a member of the set of claims is a claim: one long member is not (join()).
local function isClaim(text) return find(text, ':', 1, true) end

-- Ends a presence whose process is gone: what it held is free again, and nothing of it remains. A process that leaves gives back what it has
-- not started; that counts as no death.
local function endPresence(presence, leaving)
  local own = keysOf(presence)
  flush()
  endWaits(presence)
  endTransactionsOf(presence)
  flush()
  local held = call('SMEMBERS', own.claims)
  call('ZREM', keys.presences, presence)
  local outcomes = call('HGETALL', own.outcomes)
  for i = 1, #outcomes, 2 do
    if byte(outcomes[i + 1]) == OUTCOME_BYTES.completedByReference then dropOutcomeBody(sub(outcomes[i + 1], 2)) end
  end
  call('DEL', own.presence, own.claims, own.outcomes, own.waits, own.events)
  livingPresences[presence] = false
  -- A process that works on a request of it works for nobody.
  local all = call('ZRANGE', keys.presences, 0, -1)
  for i = 1, #all do push(all[i], PUSH.requesterGone .. presence .. '\t', '', '') end
  for i = 1, #held do
    if isClaim(held[i]) then
      if leaving and not isStarted(held[i]) then giveBack(held[i]) else recover(held[i]) end
    end
  end
  push(presence, PUSH.presenceLost .. '\t', '', '')
  flush()
end

-- Ends several at once: none of them is handed what another one held.
local function endPresences(dead)
  if #dead > 1 then
    flush()
    for i = 1, #dead do endWaits(dead[i]) end
  end
  for i = 1, #dead do endPresence(dead[i]) end
end

-- Who is disconnected, and since when: `presence=ms` each. In the counters, because it is nearly always empty.
local function readGone()
  local gone = {}
  for presence, since in gmatch(counters.gone, '([^=;]+)=(%d+)') do gone[presence] = tonumber(since) end
  return gone
end

local function saveGone(gone)
  local list = {}
  for presence, since in pairs(gone) do list[#list + 1] = presence .. '=' .. format('%.0f', since) end
  local text = concat(list, ';')
  if text ~= counters.gone then
    counters.gone = text
    countersChanged = true
  end
end

-- Returns which of these presences have lost their lease, or their connection for longer than the grace. `list`: presence, end of its lease.
local function findDead(list)
  local channels, dead = {}, {}
  for i = 1, #list, 2 do channels[#channels + 1] = keysOf(list[i]).pushes end
  if #channels == 0 then return dead end
  local subscribers = call('PUBSUB', 'NUMSUB', unpack_(channels))
  local gone = counters.gone ~= '' and readGone() or {}
  for i = 1, #list, 2 do
    local presence = list[i]
    if tonumber(list[i + 1]) <= now then
      gone[presence] = nil
      dead[#dead + 1] = presence
    elseif subscribers[i + 1] > 0 then
      gone[presence] = nil
    elseif gone[presence] then
      if wall - gone[presence] >= SHARED.graceMs or wall < gone[presence] then
        gone[presence] = nil
        dead[#dead + 1] = presence
      end
    -- After a restart nobody has subscribed yet: a connection counts as lost only where there was one.
    elseif call('HGET', keysOf(presence).presence, 'run') == counters.run then
      gone[presence] = wall
    end
  end
  saveGone(gone)
  return dead
end

-- Returns the next presences to look at, each with the end of its lease.
local function nextPresences()
  local list = call('ZRANGE', keys.presences, counters.from, counters.from + LOOKED_AT - 1, 'WITHSCORES')
  local from = #list == LOOKED_AT * 2 and counters.from + LOOKED_AT or 0
  if from ~= counters.from then
    counters.from = from
    countersChanged = true
  end
  return list
end

local function watchPresences()
  if wall < counters.look and counters.look - wall < 1000 then return end
  counters.look = wall + LOOK_MS
  countersChanged = true
  endPresences(findDead(nextPresences()))
end

-- Sent by whoever saw a process die, and by a process itself when it leaves.
function OPS.declareDead(presence)
  if call('EXISTS', keysOf(presence).presence) == 1 then endPresence(presence, presence == self) end
  reply(REPLY.done)
end

-- The process is handed nothing more until it joins again, which it does as soon as it reads the push. `running`: the ids that it works on,
-- with a space between; what else it was handed goes to others. `?`: unknown, it keeps all.
function OPS.suspend(presence, running)
  if presence ~= self and call('EXISTS', keysOf(presence).presence) == 1 then
    local isRunning = {}
    for id in gmatch(running, '%S+') do isRunning[id] = true end
    flush()
    endWaits(presence)
    flush()
    local held = running ~= '?' and call('SMEMBERS', keysOf(presence).claims) or {}
    for j = 1, #held do
      local claim = held[j]
      -- It may have changed a session entry that it has locked already.
      if isClaim(claim) and not isStarted(claim) and byte(claim) ~= SIGN_BYTES.session and not isRunning[idOf(claim)] then
        call('SREM', keysOf(presence).claims, claim)
        giveBack(claim)
      end
    end
    push(presence, PUSH.presenceLost .. '\t', '', '')
    flush()
  end
  reply(REPLY.done)
end

-- Settles the claims of the presence against what its process knows to hold. A claim that it does not know: the push was lost, so the entry goes
-- back; if the holder had started, it has given up, as if it had died. A claim that the space does not know: the process is told.
local function syncClaims(known)
  local held = call('SMEMBERS', ownKeys.claims)
  for j = 1, #held do
    local claim = held[j]
    if known[claim] then
      known[claim] = nil
      local record = isClaim(claim) and call('HGET', keys.entries, idOf(claim))
      if record and isRequest(record) and not isPresent(requesterOf(record)) then
        push(self, PUSH.claimLost, claim .. '\t', '')
      end
    elseif isClaim(claim) then
      call('SREM', ownKeys.claims, claim)
      if isStarted(claim) then recover(claim) else giveBack(claim) end
    end
  end
end

-- After a reconnect. `known`: claims and transactions, with a space between. The waits of the presence end; the process asks anew. Outcomes
-- are told again.
function OPS.sync(known)
  flush()
  local names = {}
  for name in gmatch(known, '%S+') do names[name] = true end
  endWaits(self)
  flush()
  syncClaims(names)
  local open = exists(keys.transactions) and openTransactions() or {}
  for j = 1, #open do
    if sub(open[j], 1, SHARED.presenceLength + 1) == self .. '.' then
      if names[open[j]] then names[open[j]] = nil else rollBack(open[j]) end
    end
  end
  for name in pairs(names) do
    if byte(name, SHARED.presenceLength + 1) == 46 and not isClaim(name) then
      push(self, PUSH.ended, sub(name, SHARED.presenceLength + 1) .. '\t', '')
    else
      push(self, PUSH.claimLost, name .. '\t', '')
    end
  end
  local outcomes = call('HGETALL', ownKeys.outcomes)
  for j = 1, #outcomes, 2 do push(self, PUSH.outcome, outcomes[j] .. '\t', outcomes[j + 1]) end
  reply(REPLY.done)
end

-- Opens the presence, or finds it again. Returns which one it is: what was asked in another one of the same name is not remembered in it.
local function join()
  local isNew = call('EXISTS', ownKeys.presence) == 0
  call('HSET', ownKeys.presence, 'run', serverRun)
  call('ZADD', keys.presences, now + SHARED.presenceLeaseMs, self)
  -- The connection may be cut again before anybody has seen it: then it has been missing since that, and not since the cut before.
  if counters.gone ~= '' then
    local gone = readGone()
    gone[self] = nil
    saveGone(gone)
  end
  -- One long member keeps the set of claims, and the hash of replies, out of the encoding that is searched from end to end.
  if isNew then
    call('SADD', ownKeys.claims, string.rep('-', 65))
    call('HSET', ownKeys.presence, '-', string.rep('-', 65), 'born', format('%.0f', counters.tok))
  end
  return call('HGET', ownKeys.presence, 'born') or ''
end
