-- Streaming: a holder goes on for longer than any lease, because what it is given, or what it answers, comes bit by bit.

-- From here on its request ends with it and not with a lease, and no other holder follows it: part of its answer has been seen, or part of
-- its input is gone. `answers`: 1 if it begins to answer, then its requester is told where the answer comes from; else 0.
function OPS.beginStreaming(claim, answers)
  if call('SREM', ownKeys.claims, claim) == 1 then
    call('SADD', ownKeys.claims, started(claim))
  elseif call('SISMEMBER', ownKeys.claims, started(claim)) == 0 then
    return reply(REPLY.none)
  end
  local id = idOf(claim)
  local record = call('HGET', keys.entries, id)
  if not record or not isPresent(requesterOf(record)) then return reply(REPLY.none) end
  local kind = answers == '1' and RECORD_TYPE.once or sub(record, RECORD.type.from, RECORD.type.to)
  call('HSET', keys.entries, id,
    SHARED.never .. sub(record, RECORD.writtenAt.from, RECORD.score.to) .. kind .. sub(record, RECORD.place.from))
  if answers == '1' then tellOutcome(requesterOf(record), id, OUTCOME.responseStarted .. claim .. ' ' .. self) end
  reply(REPLY.done)
end

-- The holder goes on without its place in the offer.
function OPS.releaseSlot(wait)
  credits[wait] = (credits[wait] or 0) + 1
  reply(REPLY.done)
end
