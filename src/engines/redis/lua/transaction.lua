-- Transactions, from their beginning to their end.
-- shares: closeTransaction, endTransaction, rollBack, endDue, endTransactionsOf

-- Returns the presence of a transaction: `presence.number`.
local function presenceOf(transaction) return sub(transaction, 1, SHARED.presenceLength) end

-- Ends the read lock of a transaction on an entry. After the last reader the entry is free. If one reader is left, the
-- entry may have become free for that transaction, which is told to search again.
local function endRead(id, transaction)
  local readers = call('HGET', keys.readers, id)
  local at = readers and find(readers, ',' .. transaction .. ',', 1, true)
  if not at then return end
  local record = recordOf(id)
  local info = indexInfo(signatureOf(record))
  local rest = sub(readers, 1, at) .. sub(readers, at + #transaction + 2)
  if rest ~= ',' then
    call('HSET', keys.readers, id, rest)
    local other = sub(rest, 2, -2)
    if not find(other, ',', 1, true) then
      push(presenceOf(other), PUSH.lookAgain, other .. '\t', '')
      announce(info, id, record, TRANSITION.available, other)
    end
    return
  end
  endReads(id, info)
  if hasExpired(record) then remove(id, record) else makeAvailable(id, record, info, scoreOf(record), TRANSITION.available) end
end

-- Removes records. `large`: the ids whose bodies have keys of their own.
local function removeRecords(ids, large)
  if #ids == 0 then return end
  for j = 1, #ids do if large[ids[j]] then dropBody(ids[j]) end end
  many('HDEL', keys.entries, ids)
end

-- Makes an entry that was hidden free for all.
local function release(id, record, transitions)
  if hasExpired(record) then return remove(id, record) end
  makeAvailable(id, record, indexInfo(signatureOf(record)), scoreOf(record), transitions)
end

-- Begins to end a transaction. Returns false if the transaction has ended before. This call has ended transactions
-- whose leases are over already, unless there were too many.
local function closeTransaction(transaction)
  if transactionEnds[transaction] == nil and (counters.due == 0 or counters.due > now) then
    transactionEnds[transaction] = 0
    return call('ZREM', keys.transactions, transaction) == 1
  end
  local open = isOpen(transaction)
  transactionEnds[transaction] = 0
  return call('ZREM', keys.transactions, transaction) == 1 and open
end

-- Returns the effects of a transaction, by its marks. `large`: the ids whose bodies have keys of their own.
local function readMarks(transaction)
  local marks, did = call('SMEMBERS', marksKey(transaction)), { taken = {}, both = {}, read = {}, registered = {}, large = {}, written = {} }
  for j = 1, #marks do
    local kind, id = byte(marks[j]), unmarked(marks[j])
    if byte(marks[j], 2) == SIGN_BYTES.reference then did.large[id] = true end
    if kind == MARK_BYTES.taken then did.taken[#did.taken + 1] = id
    elseif kind == MARK_BYTES.writtenAndTaken then did.both[#did.both + 1] = id
    elseif kind == MARK_BYTES.read then did.read[#did.read + 1] = id
    elseif kind == MARK_BYTES.registered then did.registered[#did.registered + 1] = id
    elseif kind == MARK_BYTES.written then did.hasWritten = true
    end
  end
  return did
end

-- Ends a transaction. If committed, its writes take effect and the entries that it took are gone; else it has no
-- effect. Entries are freed in the order of their places, so that waits get the best.
local function endTransaction(transaction, committed)
  local did, owner = readMarks(transaction), presenceOf(transaction)
  call('DEL', marksKey(transaction))
  for j = 1, #did.registered do
    local registration = did.registered[j]
    if dropRegistration(owner, registration) then push(owner, PUSH.ended, ':' .. registration .. '\t', '') end
  end
  if did.hasWritten then
    flushRecords()
    did.written = call('ZRANGE', writtenKey(transaction), 0, -1)
    call('DEL', writtenKey(transaction))
  end
  local freed = {}
  local function free(ids, transitions)
    for j = 1, #ids do
      local record = recordOf(ids[j])
      if record then freed[#freed + 1] = { ids[j], record, transitions } end
    end
  end
  free(did.read)
  if committed then
    free(did.written, TRANSITIONS.ofWrite)
  else
    free(did.taken, TRANSITIONS.ofReturn)
    for j = 1, #did.written do
      local record = recordOf(did.written[j])
      did.large[did.written[j]] = record and isLarge(record)
    end
  end
  removeRecords(did.both, did.large)
  removeRecords(committed and did.taken or did.written, did.large)
  -- Written entries are in this order already.
  if not committed or #did.read > 0 then keepBest(freed, #freed) end
  for j = 1, #freed do
    local id, record, transitions = freed[j][1], freed[j][2], freed[j][3]
    if transitions then release(id, record, transitions) else endRead(id, transaction) end
  end
  facts.recheck = true
end

local function rollBack(transaction)
  call('ZREM', keys.transactions, transaction)
  transactionEnds[transaction] = 0
  endTransaction(transaction, false)
end

-- Most ends in one call; the rest follows in the next.
local MOST_DUE = 64

-- Ends other things with a lease: transactions, registrations, session entries and their locks.
local function endDue()
  if counters.due == 0 or counters.due > now then return end
  local ended = call('ZRANGEBYSCORE', keys.transactions, '-inf', now, 'LIMIT', 0, MOST_DUE)
  for j = 1, #ended do rollBack(ended[j]) end
  local over = call('ZRANGEBYSCORE', keys.registrations, '-inf', now, 'LIMIT', 0, MOST_DUE)
  for j = 1, #over do dropRegistration(presenceOf(over[j]), sub(over[j], SHARED.presenceLength + 2)) end
  endSessionsDue()
  counters.due = 0
  -- Their names without the presence: `.number`, `:registration`.
  for _, names in ipairs({ ended, over }) do
    for j = 1, #names do push(presenceOf(names[j]), PUSH.ended, sub(names[j], SHARED.presenceLength + 1) .. '\t', '') end
  end
  for _, key in ipairs({ keys.transactions, keys.registrations, keys.sessions, keys.locks }) do
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if first then dueAt(tonumber(first)) end
  end
  countersChanged = true
end

-- Ends the transactions and registrations of a presence.
local function endTransactionsOf(presence)
  local names = openTransactions()
  for j = 1, #names do if presenceOf(names[j]) == presence then rollBack(names[j]) end end
  local fields = call('HKEYS', keysOf(presence).events)
  for j = 1, #fields do if byte(fields[j], -1) ~= SIGN_BYTES.hash then dropRegistration(presence, fields[j]) end end
end

function OPS.begin(number, leaseMs)
  local transaction, ends = self .. '.' .. number, now + tonumber(leaseMs)
  call('ZADD', keys.transactions, ends, transaction)
  facts[keys.transactions] = true
  -- The transaction has written nothing so far.
  facts[writtenKey(transaction)] = false
  transactionEnds[transaction] = ends
  dueAt(ends)
  reply(REPLY.done)
end

function OPS.renewTransaction(transaction, leaseMs)
  if not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local ends = now + tonumber(leaseMs)
  call('ZADD', keys.transactions, ends, transaction)
  transactionEnds[transaction] = ends
  dueAt(ends)
  reply(REPLY.done)
end

function OPS.commit(transaction, from, last)
  if last >= from and isOpen(transaction) and (isFull() or isOver(from, last, transaction)) then
    return reply(REPLY.failed, 'SPACE_FULL')
  end
  if not closeTransaction(transaction) then return reply(REPLY.transactionEnded) end
  endTransaction(transaction, true)
  writeEach(from, last)
  reply(REPLY.done)
end

function OPS.abort(transaction)
  if isOpen(transaction) then rollBack(transaction) end
  reply(REPLY.done)
end
