-- Claims: an entry handed to a holder under a fencing token, until the holder acknowledges, completes or returns it,
-- or dies.
-- shares: claimFor, idOf, noteSuspect, clearSuspects, dropOutcomeBody, tellOutcome, announce, makeAvailable
-- shares: endClaim, started, isStarted

-- Makes a claim on an entry. The token consists of the number of this call, which is greater than that of every call
-- before, the number of the claim in the call, and the nonce.
local function claimFor(presence, id)
  if not tokenBase then tokenBase = format('%x', counters.tok) end
  claimsMade = claimsMade + 1
  local claim = id .. ':' .. tokenBase .. '.' .. textOf(claimsMade) .. nonce
  local list = newClaims[presence]
  if list then list[#list + 1] = claim else newClaims[presence] = { claim } end
  return claim
end

local function idOf(claim) return sub(claim, 1, find(claim, ':', 1, true) - 1) end

-- Returns the form of a claim whose holder has started.
local function started(claim) return claim .. SIGN.started end

local function isStarted(claim) return byte(claim, -1) == SIGN_BYTES.started end

local function isSessionLock(claim) return byte(claim) == SIGN_BYTES.session end

local function noteSuspect(presence, id)
  forget()
  call('HSET', keys.suspects, id, presence)
  facts[keys.suspects] = true
end

local function clearSuspects(ids)
  if exists(keys.suspects) then call('HDEL', keys.suspects, unpack_(ids)) end
end

-- Hands an entry to a waiter. A plain take leaves its queue; an offer stays with the rest of its credit.
local function deliver(waiter, id, record)
  local who = parsedWaiter(waiter)
  if isSuspect(record) then noteSuspect(who.presence, id) end
  push(who.presence, who.delivery, claimFor(who.presence, id), record)
  if who.once then unregister(who.presence, who.wait) end
end

-- The large body of an outcome has a key of its own, under the name of the claim.
local function dropOutcomeBody(claim) call('UNLINK', bodyKey(claim)) end

-- Sends a requester the outcome of its request, and keeps the outcome until it has arrived. Returns false if the
-- requester is gone.
local function tellOutcome(presence, id, outcome)
  if presence == SHARED.kept then return LATER.settleFor(id, outcome) end
  if not isPresent(presence) then
    if byte(outcome) == OUTCOME_BYTES.completedByReference then dropOutcomeBody(sub(outcome, 2)) end
    return false
  end
  local list = newOutcomes[presence]
  if not list then
    list = {}
    newOutcomes[presence] = list
  end
  local n = #list
  list[n + 1], list[n + 2] = id, outcome
  push(presence, PUSH.outcome .. id, '\t', outcome)
  return true
end

LATER.tellOutcome = tellOutcome

-- Calls `visit` for each registration for one of these transitions of which a template matches an entry: once for each
-- such template.
local function eachInterested(info, transitions, visit)
  local queues = queuesFor(info, 'notify')
  for i = 1, #queues do
    local queue = queueOf(queues[i][1], true)
    for waiter in pairs(queue.score) do
      local who = parsedWaiter(waiter)
      if find(transitions, sub(who.wait, 2, 2), 1, true) and (not queues[i][2] or conforms(waiter, info.text)) then
        visit(who, sub(who.wait, 1, find(who.wait, '.', 1, true) - 1))
      end
    end
  end
end

-- Sends an event to each registration for one of these transitions, once however many of its templates match. If a
-- transaction is given, only to registrations under it; if the former contents of the entry are given, only to those that
-- they do not match.
local function announce(info, id, record, transitions, transaction, before)
  local told = {}
  if before then eachInterested(before, transitions, function(who, registration) told[who.presence .. registration] = true end) end
  eachInterested(info, transitions, function(who, registration)
    local name = who.presence .. registration
    if told[name] or transaction and specOf(who.presence, who.wait).tx ~= transaction then return end
    told[name] = true
    local sequence = call('HINCRBY', keysOf(who.presence).events, registration, 1)
    push(who.presence, PUSH.event .. registration .. '\t', id .. ' ' .. format('%.0f', sequence), record)
  end)
end

local function addToIndexes(info, id, score)
  for i = 1, #info.index do
    append(newIndexed, info.index[i], score)
    append(newIndexed, info.index[i], id)
  end
  if info.ordered then LATER.order.add(info, id, score, newIndexed) end
  dirty = true
end

-- Makes an entry free: all waiting readers are shown the entry, then a waiting taker gets it, or it goes into the
-- indexes. Readers under transactions come after the takers, because an entry that they have read cannot be taken by
-- others.
local function makeAvailable(id, record, info, score, transitions)
  if #queuesFor(info, 'notify') > 0 then announce(info, id, record, transitions) end
  local readers, locking = queuesFor(info, 'read'), nil
  for i = 1, #readers do
    local queue = queueOf(readers[i][1], true)
    for waiter in pairs(queue.score) do
      if not readers[i][2] or conforms(waiter, info.text) then
        local who = parsedWaiter(waiter)
        if byte(who.wait) == WAIT_BYTES.readUnder then
          locking = locking or {}
          locking[#locking + 1] = who
        else
          push(who.presence, who.shown, id, record)
          unregister(who.presence, who.wait)
        end
      end
    end
  end
  local taker = pickTaker(info, isSuspect(record))
  if taker then return deliver(taker, id, record) end
  if locking then
    local locked
    flushRecords()
    for i = 1, #locking do
      local who = locking[i]
      local spec = specOf(who.presence, who.wait)
      if spec and isOpen(spec.tx) then
        lockRead(id, record, info, spec.tx)
        push(who.presence, who.shown, id, record)
        locked = true
      end
      unregister(who.presence, who.wait)
    end
    if locked then return end
  end
  addToIndexes(info, id, score)
end

-- Puts an entry back into its place. A request whose requester is gone is removed: its outcome is not awaited.
local function putBack(id, record)
  if hasExpired(record) or (isRequest(record) and not isPresent(requesterOf(record))) then return remove(id, record) end
  makeAvailable(id, record, indexInfo(signatureOf(record)), scoreOf(record), TRANSITIONS.ofReturn)
end

-- Gives back an entry that a holder did not process. The body of its outcome may have been stored already.
local function giveBack(claim)
  if isSessionLock(claim) then return LATER.unlockSession(claim) end
  local id = idOf(claim)
  dropOutcomeBody(claim)
  local record = recordOf(id)
  clearSuspects({ id })
  if record then putBack(id, record) end
end

local function isStreamed(record) return byte(record, RECORD.type.from) == RECORD_TYPE_BYTES.streamed end

-- Returns whether a request must not run again once it has started.
local function runsOnce(record) return byte(record, RECORD.type.from) == RECORD_TYPE_BYTES.once or isStreamed(record) end

-- Recovers an entry whose holder has died. The type of a request says whether it may run again, its maxDeliveries how
-- often.
local function recover(claim)
  if isSessionLock(claim) then return LATER.unlockSession(claim) end
  local hadStarted = isStarted(claim)
  local id = idOf(claim)
  dropOutcomeBody(hadStarted and sub(claim, 1, -2) or claim)
  local record = recordOf(id)
  clearSuspects({ id })
  if not record then return end
  local deaths = tonumber(sub(record, RECORD.deaths.from, RECORD.deaths.to)) + 1
  local most = isRequest(record) and tonumber(sub(record, RECORD.maxDeliveries.from, RECORD.maxDeliveries.to))
  if isRequest(record) and hadStarted and runsOnce(record) and not (isStreamed(record) and deaths >= most) then
    tellOutcome(requesterOf(record), id, OUTCOME.lost)
    remove(id, record)
  else
    record = rehead(record, nil, deaths > 9 and 9 or deaths)
    if isRequest(record) and deaths >= most then
      tellOutcome(requesterOf(record), id, OUTCOME.exhausted)
      return moveToDeadLetters(id, record, 's:exhausted')
    end
    call('HSET', keys.entries, id, record)
    putBack(id, record)
  end
end

-- Ends a claim of a presence whose process is gone or has lost it. `hasDied`: it counts as a death.
local function endClaim(claim, hasDied)
  if hasDied then recover(claim) else giveBack(claim) end
end

-- Refused if the entry was cancelled, or its lease ended, since it was handed out.
function OPS.acknowledge(claim, transaction)
  local id = idOf(claim)
  if transaction ~= '' then
    local held = call('SREM', ownKeys.claims, claim) == 1
    local record = held and recordOf(id)
    if not isOpen(transaction) then
      if record then putBack(id, record) end
      reply(REPLY.transactionEnded)
    elseif record and not hasExpired(record) then
      takeUnder(transaction, id, record)
      reply(REPLY.done)
    else
      if record then remove(id, record) end
      reply(REPLY.none)
    end
  elseif call('SREM', ownKeys.claims, claim) == 1 and call('HDEL', keys.entries, id) == 1 then
    dropBody(id)
    reply(REPLY.done)
  else
    reply(REPLY.none)
  end
end

function OPS.start(claim)
  if call('SREM', ownKeys.claims, claim) == 1 then
    call('SADD', ownKeys.claims, started(claim))
    reply(REPLY.done)
  else
    -- Asked again after a lost reply.
    reply(call('SISMEMBER', ownKeys.claims, started(claim)) == 1 and REPLY.done or REPLY.none)
  end
end

-- A request that has started and must not run twice is lost. `wait`: the offer that has a free slot again, or ''; the
-- slot is free even if the claim has ended here before.
function OPS.giveBack(claim, wait)
  -- If the holder did not learn whether its start was noted, it has not started.
  if call('SREM', ownKeys.claims, claim) == 1 or call('SREM', ownKeys.claims, started(claim)) == 1 then
    local id = idOf(claim)
    local record = recordOf(id)
    clearSuspects({ id })
    if record and runsOnce(record) and isStarted(claim) then
      tellOutcome(requesterOf(record), id, OUTCOME.lost)
      remove(id, record)
    elseif record then
      putBack(id, record)
    end
  end
  if wait ~= '' then credits[wait] = (credits[wait] or 0) + 1 end
  reply(REPLY.done)
end

function OPS.putOutcomeBody(claim, body)
  call('SET', bodyKey(claim), body, 'PX', SHARED.bodyUnwrittenMs)
  reply(REPLY.done)
end

-- `ids`: separated by spaces; for an outcome whose body has a key of its own, @ and the claim.
function OPS.outcomesArrived(ids)
  local fields = {}
  for id in gmatch(ids, '%S+') do
    if byte(id) == SIGN_BYTES.reference then
      dropOutcomeBody(sub(id, 2))
      id = idOf(sub(id, 2))
    end
    fields[#fields + 1] = id
  end
  many('HDEL', ownKeys.outcomes, fields)
  reply(REPLY.done)
end
