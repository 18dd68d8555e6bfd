-- Presences: one leased registration per process, under which the process holds entries; and how a dead process is
-- noticed.
-- shares: watchPresences, join

-- The space looks this often, and at this many presences at a time.
local LOOK_MS = 50
local LOOKED_AT = 64

-- Ends the waits of a presence. Registrations stay: their owner may be back soon, and asks for the events that it
-- missed.
local function endWaits(presence)
  local waits = call('HKEYS', keysOf(presence).waits)
  for i = 1, #waits do
    local kind = byte(waits[i])
    if kind ~= WAIT_BYTES.registration and kind ~= WAIT_BYTES.registrationUnder then unregister(presence, waits[i]) end
  end
end

-- Waits that one call ends, at most: some ms for each thousand.
local MOST_WAITS_ENDED = 10000

-- In a new history nobody has subscribed. What is handed to a wait reaches nobody until its process is back; if the
-- process has died meanwhile, until its lease ends. So all waits end, and processes that come back request theirs anew.
function LATER.endAllWaits(presences)
  local ended = 0
  for i = 1, #presences do
    ended = ended + call('HLEN', keysOf(presences[i]).waits)
    if ended > MOST_WAITS_ENDED then break end
    endWaits(presences[i])
  end
  if ended > 0 then flush() end
end

-- Returns whether a member of the set of claims is a claim: one long member is not (join()).
local function isClaim(text) return find(text, ':', 1, true) end

-- Removes the waiting requests of processes that are gone, at most MOST_ORPHANS of each kind: a few ms. As long as
-- there are processes, a take or the sweep meets them, and a gateway that was wrongly declared dead finds them again.
local MOST_ORPHANS = 2000
local function removeOrphans()
  for _, kind in ipairs({ KIND.request, KIND.task }) do
    local ids = call('ZRANGE', freeKey(kind), 0, MOST_ORPHANS - 1)
    local records = #ids > 0 and call('HMGET', keys.entries, unpack_(ids)) or {}
    for i = 1, #ids do
      local record = records[i]
      if record and isSound(record) and isRequest(record) and not isPresent(requesterOf(record)) then remove(ids[i], record) end
    end
  end
end

-- Removes what a process has told of itself, and orders for it.
local MOST_TOLD = 64
local function removeTold(presence)
  local ids = call('ZRANGE', freeWithKey(KIND.control .. '|process=s:' .. presence), 0, MOST_TOLD - 1)
  for i = 1, #ids do
    local record = recordOf(ids[i])
    if record then remove(ids[i], record) end
  end
end

-- Ends a presence whose process is gone: its claims are freed, and nothing of the presence remains. `leaving`: the
-- process itself asks, so claims that it has not started do not count as deaths.
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
  forget()
  facts[presence] = false
  -- Processes that work on its requests are told to stop.
  local all = call('ZRANGE', keys.presences, 0, -1)
  for i = 1, #all do push(all[i], PUSH.requesterGone .. presence .. '\t', '', '') end
  for i = 1, #held do
    if isClaim(held[i]) then
      endClaim(held[i], not leaving or isStarted(held[i]))
    end
  end
  push(presence, PUSH.presenceLost .. '\t', '', '')
  removeTold(presence)
  flush()
  if leaving and call('EXISTS', keys.presences) == 0 then removeOrphans() end
end

-- Ends several presences at once: none of them is handed entries that another one held.
local function endPresences(dead)
  if #dead > 1 then
    flush()
    for i = 1, #dead do endWaits(dead[i]) end
  end
  for i = 1, #dead do endPresence(dead[i]) end
end

-- Returns the disconnected presences and the time since when. Stored in the counters as `presence=ms`, because the
-- list is nearly always empty.
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

-- Returns the presences that have lost their lease, or their connection for longer than the grace. `list`: presence,
-- end of its lease.
local function findDead(list)
  local channels, dead = {}, {}
  for i = 1, #list, 2 do channels[#channels + 1] = keysOf(list[i]).pushes end
  if #channels == 0 then return dead end
  local subscribers = call('PUBSUB', 'SHARDNUMSUB', unpack_(channels))
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
    -- After a restart no process has subscribed yet: a connection counts as lost only if there was one.
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

-- Returns the presences that have no connection, each with the end of its lease.
local function missingPresences()
  local list = {}
  for presence in pairs(readGone()) do
    list[#list + 1] = presence
    list[#list + 1] = call('ZSCORE', keys.presences, presence) or '0'
  end
  return list
end

-- Looks at the next presences if nobody has for LOOK_MS, and ends those that are dead. Returns the number of dead, and
-- those that it has looked at. `isBeat`: at other times it looks at those that are missing.
local function watchPresences(isBeat)
  local isDue = wall >= counters.look or counters.look - wall >= 1000
  if isDue then
    counters.look = wall + LOOK_MS
    countersChanged = true
  elseif not isBeat or counters.gone == '' then
    return 0
  end
  local list = isDue and nextPresences() or missingPresences()
  local dead = findDead(list)
  endPresences(dead)
  return #dead, isDue and list
end

-- Sent by a process that saw another one die, and by a process itself when it leaves.
function OPS.declareDead(presence)
  if call('EXISTS', keysOf(presence).presence) == 1 then endPresence(presence, presence == self) end
  reply(REPLY.done)
end

-- The process is handed nothing more until it joins again, which it does when it reads the push. `running`: the ids
-- that it works on, separated by spaces; its other claims go to other processes. `?`: unknown, it keeps all claims.
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
      -- The process may have changed a session entry that it has locked already.
      if isClaim(claim) and not isStarted(claim) and byte(claim) ~= SIGN_BYTES.session and not isRunning[idOf(claim)] then
        call('SREM', keysOf(presence).claims, claim)
        endClaim(claim, false)
      end
    end
    push(presence, PUSH.presenceLost .. '\t', '', '')
    flush()
  end
  reply(REPLY.done)
end

-- Returns the name by which a process knows a claim that it holds; nil if it does not know the claim. It may not have heard
-- yet that its start was noted.
local function knownAs(claim, known)
  if known[claim] then return claim end
  local unstarted = isStarted(claim) and sub(claim, 1, -2)
  return unstarted and known[unstarted] and unstarted
end

-- Settles the claims of the presence against the claims that its process knows to hold. Claim unknown to the process:
-- the push was lost, so the entry goes back; if the holder had started, it has given up, which counts as a death.
-- Claim unknown to the space: the process is told.
local function syncClaims(known)
  local held = call('SMEMBERS', ownKeys.claims)
  for j = 1, #held do
    local claim = held[j]
    local name = knownAs(claim, known)
    if name then
      known[name] = nil
      local record = isClaim(claim) and recordOf(idOf(claim))
      if record and isRequest(record) and not isPresent(requesterOf(record)) then
        push(self, PUSH.claimLost, claim .. '\t', '')
      end
    elseif isClaim(claim) then
      call('SREM', ownKeys.claims, claim)
      endClaim(claim, isStarted(claim))
    end
  end
end

-- `claims`: separated by spaces. Sent a while after a requester was declared dead: it may have joined again since.
function OPS.checkRequesters(claims)
  for claim in gmatch(claims, '%S+') do
    local record = recordOf(idOf(claim))
    if not record or not isPresent(requesterOf(record)) then push(self, PUSH.claimLost, claim .. '\t', '') end
  end
  reply(REPLY.done)
end

-- Runs after a reconnect. `known`: claims and transactions, separated by spaces. The waits of the presence end, and
-- the process requests them anew. Outcomes are pushed again.
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

-- Opens the presence, or finds it again. Returns its birth: replies are remembered only within one presence, not in
-- another one of the same name.
local function join()
  local isNew = call('EXISTS', ownKeys.presence) == 0
  call('HSET', ownKeys.presence, 'run', counters.run, 'layout', LAYOUT)
  call('ZADD', keys.presences, now + SHARED.presenceLeaseMs, self)
  -- The connection may be cut again before a look at it: then it has been missing since the new cut, not since the one
  -- before.
  if counters.gone ~= '' then
    local gone = readGone()
    gone[self] = nil
    saveGone(gone)
  end
  -- One long member keeps the set of claims, and the hash of replies, out of the encoding that is searched from end to
  -- end.
  if isNew then
    call('SADD', ownKeys.claims, string.rep('-', 65))
    call('HSET', ownKeys.presence, '-', string.rep('-', 65), 'born', format('%.0f', counters.tok))
  end
  return call('HGET', ownKeys.presence, 'born') or ''
end
