-- Dead letters: unusable entries, kept with the reason, and matched only by finds for dead letters.
-- shares: dropOldestDeadLetter, moveToDeadLetters

-- A week: time enough to look into it.
local DEAD_LETTER_LEASE_MS = 604800000
-- Beyond this number the oldest is removed.
local MOST_DEAD_LETTERS = 10000
-- The reason of an entry whose large body is gone, or is not what was written.
local BODILESS = 's:bodiless'

-- Removes an entry from the marks of all transactions, so that none of them releases or removes the entry when it
-- ends.
local function disown(id, record, info)
  local readers = call('HGET', keys.readers, id)
  if readers then
    for transaction in gmatch(readers, '[^,]+') do call('SREM', marksKey(transaction), MARK.read .. id) end
  end
  freeFromReads(id, info)
  local names, marked = openTransactions(), isLarge(record) and SIGN.reference .. id or id
  for j = 1, #names do
    call('SREM', marksKey(names[j]), MARK.taken .. marked, MARK.writtenAndTaken .. marked)
    call('ZREM', writtenKey(names[j]), id)
  end
end

local function dropOldestDeadLetter()
  local all = freeKey(KIND.deadLetter)
  if call('ZCARD', all) > MOST_DEAD_LETTERS then
    local oldest = call('ZRANGE', all, 0, 0)[1]
    local record = recordOf(oldest)
    if record then remove(oldest, record) else call('ZREM', all, oldest) end
  end
end

-- Returns the part behind the checksum.
local function bodyOf(record)
  return sub(record, find(record, '\n', RECORD.signature.from, true) + 1 + CHECKSUM.length)
end

-- Stores a dead letter. `fixed`: its head from the time of the write to the score; `info`: the contents of its
-- signature.
local function storeDeadLetter(id, fixed, place, info, body)
  local expiresAt = now + DEAD_LETTER_LEASE_MS
  local record = madeRecord(format('%013.0f', expiresAt) .. fixed .. RECORD_TYPE.entry .. place, info.text, body)
  call('HSET', keys.entries, id, record)
  for i = 1, #info.index do call('ZADD', info.index[i], scoreOf(record), id) end
  sweepLater(id, expiresAt, now)
  dropOldestDeadLetter()
end

-- Returns the contents of the signature of a dead letter. `service`: the token of the service, if the entry had one.
local function deadLetterInfo(id, reason, service)
  local head = '|' .. SIGN.kind .. KIND.deadLetter .. '|reason=' .. reason
  if service then head = head .. '|' .. service end
  return indexInfo(head .. '|;|id=s:' .. id .. '|')
end

-- Replaces a record by that of a dead letter, whose body is the reason, the signature of the entry, a newline, and the
-- body of the entry. `reason` is a token.
local function moveToDeadLetters(id, record, reason)
  flushRecords()
  local signature = signatureOf(record)
  local info = indexInfo(signature)
  unindex(id, info, record)
  if exists(keys.transactions) then disown(id, record, info) end
  if info.root == KIND.ticket then uncountTicket(id, record) end
  local deadLetter = deadLetterInfo(id, reason, info.tokens.service)
  local fixed, place = sub(record, RECORD.writtenAt.from, RECORD.score.to), sub(record, RECORD.place.from, RECORD.place.to)
  if reason == BODILESS then
    place = PLACE.inline
    dropBody(id)
  elseif isLarge(record) then
    call('PEXPIRE', bodyKey(id), DEAD_LETTER_LEASE_MS + SHARED.bodyGraceMs)
  end
  storeDeadLetter(id, fixed, place, deadLetter, reason .. signature .. '\n' .. bodyOf(record))
end

-- Replaces a dead letter whose large body is gone by one that has none, so that it can be taken.
local function endBody(id, record, info)
  unindex(id, info, record)
  if exists(keys.transactions) then disown(id, record, info) end
  dropBody(id)
  local fixed = sub(record, RECORD.writtenAt.from, RECORD.score.to)
  local body = bodyOf(record)
  local behindReason = sub(body, (find(body, '|', 1, true)))
  storeDeadLetter(id, fixed, PLACE.inline, deadLetterInfo(id, BODILESS, info.tokens.service), BODILESS .. behindReason)
end

-- Tells the process of this call what was damaged.
function LATER.noteDamage(name) push(self, PUSH.damaged .. name .. '\t', '', '') end

-- Most bytes of a damaged record that are kept.
local MOST_KEPT = 65536

-- Replaces a damaged record, which cannot be read, by a dead letter that has its bytes. Its indexes are not known: a
-- search that meets it there removes it from them. The process of this call is told.
function LATER.setAside(id, record)
  local name = id:gsub('[^%w_.:-]', '?')
  local deadLetter = indexInfo('|' .. SIGN.kind .. KIND.deadLetter .. '|reason=s:damaged|;|id=s:' .. name .. '|')
  counters.seq = counters.seq + (counters.step or 1)
  countersChanged = true
  local fixed = nowText .. '0' .. scoreText(SHARED.scoreZero + counters.seq)
  storeDeadLetter(id, fixed, PLACE.inline, deadLetter, 's:damaged|' .. SIGN.kind .. '?|;|\n' .. sub(record, 1, MOST_KEPT))
  LATER.noteDamage(name)
end

-- `claim`: the claim under which the entry was taken, or ''.
function OPS.deadLetter(id, reason, claim)
  flushRecords()
  if claim ~= '' and call('SREM', ownKeys.claims, claim) == 0 then return reply(REPLY.none) end
  local record = recordOf(id)
  local info = record and not hasExpired(record) and indexInfo(signatureOf(record))
  local isDeadLetter = info and info.kinds[1] == KIND.deadLetter
  if isDeadLetter and reason == 's:damaged' then
    -- A dead letter that is itself damaged.
    unindex(id, info, record)
    LATER.setAside(id, record)
    reply(REPLY.done)
  elseif isDeadLetter and reason == BODILESS and isLarge(record) then
    LATER.noteDamage(id)
    endBody(id, record, info)
    reply(REPLY.done)
  elseif info and not isDeadLetter then
    local isDamaged = reason == 's:damaged' or reason == BODILESS
    if isDamaged then LATER.noteDamage(id) end
    if isDamaged and isRequest(record) then LATER.tellOutcome(requesterOf(record), id, OUTCOME.lost) end
    moveToDeadLetters(id, record, reason)
    reply(REPLY.done)
  else
    reply(REPLY.none)
  end
end
