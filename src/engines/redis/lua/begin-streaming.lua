-- Streaming: a holder whose request or response is streamed may run for longer than any lease.

-- From now on the request ends with its holder instead of a lease, and is not given to another holder: part of its
-- response has been seen, or part of its input is gone. `answers`: 1 if the response begins, and then the requester is
-- told the holder; else 0.
function OPS.beginStreaming(claim, answers)
  if call('SREM', ownKeys.claims, claim) == 1 then
    call('SADD', ownKeys.claims, started(claim))
  elseif call('SISMEMBER', ownKeys.claims, started(claim)) == 0 then
    return reply(REPLY.none)
  end
  local id = idOf(claim)
  local record = recordOf(id)
  if not record or not isPresent(requesterOf(record)) then return reply(REPLY.none) end
  call('HSET', keys.entries, id, rehead(record, SHARED.never, nil, answers == '1' and RECORD_TYPE.once or nil))
  if answers == '1' then tellOutcome(requesterOf(record), id, OUTCOME.responseStarted .. claim .. ' ' .. self) end
  reply(REPLY.done)
end

-- The holder continues without a slot of the offer.
function OPS.releaseSlot(wait)
  credits[wait] = (credits[wait] or 0) + 1
  reply(REPLY.done)
end
