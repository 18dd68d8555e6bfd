-- Completions: each ends a claim with an outcome for the requester. Those of one call are settled together, in few
-- commands.
-- shares: settleCompletions

-- Headers that were parsed, for the calls that follow.
local parsedCompletions, completionCount, lastCompletion = {}, 0, nil
local MOST_COMPLETIONS = 256

-- Parses the header that many completions share: offer, credit, @ if the request's body has a key of its own,
-- requester.
local function completionHeader(text)
  local header = text == '' and lastCompletion or parsedCompletions[text]
  if not header then
    local wait, credit, place, requester = text:match('^(%S*) (%d+) (%S) (%S+)$')
    header = { wait = wait, credit = tonumber(credit), large = place == PLACE.reference, requester = requester }
    if completionCount >= MOST_COMPLETIONS then parsedCompletions, completionCount = {}, 0 end
    parsedCompletions[text], completionCount = header, completionCount + 1
  end
  lastCompletion = header
  if header.credit > 0 then credits[header.wait] = (credits[header.wait] or 0) + header.credit end
  return header
end

-- `effects`: where the entries that are written with the completion begin and end, or false.
local function noteCompletion(header, claim, outcome, effects)
  local n = completions.n + 1
  completions.n, completions.slots[n], completions.headers[n] = n, reply(REPLY.done), completionHeader(header)
  completions.claims[n], completions.outcomes[n], completions.effects[n] = claim, outcome, effects
end

local function tellCompletion(header, id, outcome)
  if header.large then dropBody(id) end
  tellOutcome(header.requester, id, outcome)
end

function OPS.complete(header, claim, outcome)
  noteCompletion(header, claim, outcome, false)
end

-- A completion that only writes is settled together with others, unless room has to be counted one by one.
function OPS.completeWith(header, claim, outcome, transaction, from, last)
  local id = idOf(claim)
  if transaction ~= '' and not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local why = last >= from and whyRefused(from, last, transaction ~= '' and transaction, id)
  if why then return reply(REPLY.failed, why) end
  if transaction == '' and not bounded then
    return noteCompletion(header, claim, outcome, last >= from and { from, last })
  end
  if call('SREM', ownKeys.claims, claim) == 0 then
    if transaction ~= '' then rollBack(transaction) end
    return reply(REPLY.none)
  end
  local parsed = completionHeader(header)
  flushRecords()
  call('HDEL', keys.entries, id)
  clearSuspects({ id })
  tellCompletion(parsed, id, outcome)
  if transaction ~= '' and closeTransaction(transaction) then endTransaction(transaction, true) end
  writeEach(from, last)
  reply(REPLY.done)
end

-- Completes the requests that are still held under their claims, and writes their effects; every other completion is
-- refused.
local function settleCompletions()
  local n = completions.n
  if n == 0 then return end
  local named, ids, held, written, count = completions.claims, {}, {}, {}, 0
  local last, requester, outcomes, told = nil, nil, nil, 0
  -- One alone is checked and removed at once.
  local isHeld = n == 1 and { call('SREM', ownKeys.claims, named[1]) } or call('SMISMEMBER', ownKeys.claims, unpack_(named))
  for j = 1, n do
    if isHeld[j] == 1 then
      local id, header, outcome = idOf(named[j]), completions.headers[j], completions.outcomes[j]
      count = count + 1
      held[count], ids[count] = named[j], id
      -- Straight: a requester that is there is told in the same way each time.
      if header ~= last then
        last, requester = header, not header.large and header.requester ~= SHARED.kept and isPresent(header.requester)
        if requester then
          requester = header.requester
          outcomes = newOutcomes[requester] or {}
          newOutcomes[requester], told = outcomes, #outcomes
        end
      end
      if requester then
        outcomes[told + 1], outcomes[told + 2] = id, outcome
        told = told + 2
        push(requester, PUSH.outcome .. id, '\t', outcome)
      else
        tellCompletion(header, id, outcome)
      end
      if completions.effects[j] and not written[named[j]] then
        written[named[j]] = true
        written[#written + 1] = completions.effects[j]
      end
    else
      refuse(completions.slots[j])
    end
  end
  if count == 0 then return end
  if n > 1 then call('SREM', ownKeys.claims, unpack_(held)) end
  clearSuspects(ids)
  -- A withdrawn or expired entry is gone already; its requester drops an outcome that it does not await.
  call('HDEL', keys.entries, unpack_(ids))
  for j = 1, #written do writeEach(written[j][1], written[j][2]) end
end
