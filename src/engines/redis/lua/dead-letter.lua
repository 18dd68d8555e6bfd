-- Setting aside: what nobody could do is kept as a dead letter, with the reason, out of everybody's way.
-- shares: LETTER, dropOldest, setAside

local LETTER = 'takespace.DeadLetter'
-- A week: time enough to look into it.
local LETTER_LEASE_MS = 604800000
-- One more, and the oldest goes.
local MOST_LETTERS = 10000

-- It is no longer what transactions have written, taken or read, so that none of them shows it or drops it when it ends.
local function disown(id, rec, c)
  local readers = call('HGET', P .. 'R', id)
  if readers then
    for tid in gmatch(readers, '[^,]+') do call('SREM', P .. 't' .. tid, 'r' .. id) end
  end
  letGo(id, c)
  local names, marked = transactions(), isLarge(rec) and '@' .. id or id
  for j = 1, #names do
    call('SREM', P .. 't' .. names[j], '-' .. marked, '*' .. marked)
    call('ZREM', P .. 'u' .. names[j], id)
  end
end

local function dropOldest()
  local all = P .. 'f@' .. LETTER
  if call('ZCARD', all) > MOST_LETTERS then
    local oldest = call('ZRANGE', all, 0, 0)[1]
    local old = call('HGET', P .. 'e', oldest)
    if old then remove(oldest, old) else call('ZREM', all, oldest) end
  end
end

-- The record of a dead letter is an entry's: its body is the reason, the signature of what was set aside, a newline, and the body of that.
-- `reason` is a token.
local function setAside(id, rec, reason)
  flushPuts()
  local S = signatureOf(rec)
  local c = sig(S)
  for i = 1, #c.index do call('ZREM', c.index[i], id) end
  if isThere('T') then disown(id, rec, c) end
  if c.root == TICKET then uncountTicket(id, rec) end
  local head = '|@' .. LETTER .. '|reason=' .. reason
  if c.tokens.service then head = head .. '|' .. c.tokens.service end
  local letter = sig(head .. '|;|id=s:' .. id .. '|')
  local ends, score = now + LETTER_LEASE_MS, scoreOf(rec)
  local body = sub(rec, find(rec, '\n', 46, true) + 1)
  call('HSET', P .. 'e', id, format('%013.0f', ends) .. sub(rec, 14, 43) .. 'e' .. sub(rec, 45, 45) .. letter.text .. '\n' .. reason .. S .. '\n' .. body)
  for i = 1, #letter.index do call('ZADD', letter.index[i], score, id) end
  if isLarge(rec) then call('PEXPIRE', P .. 'b' .. id, LETTER_LEASE_MS + BODY_GRACE_MS) end
  local list = bucket(ends, now)
  list[#list + 1] = id
  dropOldest()
end

-- q: whoever found that an entry cannot be used by anybody has it set aside; not if it is not there (any longer). id, token of the reason,
-- the claim under which it has been taken or ''
function OPS.q(argv, i, answer)
  local id, claim = argv[i], argv[i + 2]
  flushPuts()
  if claim ~= '' and call('SREM', P .. 'c' .. SID, claim) == 0 then
    answer('n')
    return i + 3
  end
  local rec = call('HGET', P .. 'e', id)
  if rec and not expired(rec) and sig(signatureOf(rec)).kinds[1] ~= LETTER then
    setAside(id, rec, argv[i + 1])
    answer('k')
  else
    answer('n')
  end
  return i + 3
end
