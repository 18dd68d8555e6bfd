-- h, H: a holder goes on for longer than any lease: what it is given, or what it answers, comes bit by bit.

-- h: what the holder does from now on is seen at once, or what it reads is gone once it is read, so nobody may follow it; and its request
-- ends with it, not with a lease. claim, 1 if it begins to answer (whoever waits is told where from), else 0
function OPS.h(argv, i, answer)
  local key, claim, answers = P .. 'c' .. SID, argv[i], argv[i + 1] == '1'
  if call('SREM', key, claim) == 1 then
    call('SADD', key, claim .. '!')
  elseif call('SISMEMBER', key, claim .. '!') == 0 then
    answer('n')
    return i + 2
  end
  local id = idOf(claim)
  local rec = call('HGET', P .. 'e', id)
  if not rec or not alive(replyTo(rec)) then
    answer('n')
    return i + 2
  end
  local letter = answers and 'Q' or sub(rec, 44, 44)
  call('HSET', P .. 'e', id, NEVER .. sub(rec, 14, 43) .. letter .. sub(rec, 45))
  if answers then tell(replyTo(rec), id, 'h' .. claim .. ' ' .. SID) end
  answer('k')
  return i + 2
end

-- H: it goes on without its place: its offer has room for another one. offer
function OPS.H(argv, i, answer, credits)
  credits[argv[i]] = (credits[argv[i]] or 0) + 1
  answer('k')
  return i + 1
end
