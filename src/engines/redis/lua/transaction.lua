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
  if not record then return call('HDEL', keys.readers, id) end
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

-- Most effects of transactions that one call makes visible or undoes: 250 take about 5 ms. The end of a larger
-- transaction is decided at once and takes effect in slices, one in each call that follows, of any process.
local MOST_EFFECTS = 250
-- A transaction whose end is decided and has effects left is still in the set of transactions, with one of these
-- scores.
local DECIDED = { committed = -1, aborted = -2 }

local function isDecided(transaction) return tonumber(call('ZSCORE', keys.transactions, transaction) or 0) < 0 end

-- Begins to end a transaction. Returns false if the transaction has ended before. This call has ended transactions
-- whose leases are over already, unless there were too many.
local function closeTransaction(transaction)
  local isAnyDue = counters.due ~= 0 and counters.due <= now
  if (facts[transaction] ~= nil or isAnyDue) and not isOpen(transaction) then return false end
  facts[transaction] = 0
  return call('ZREM', keys.transactions, transaction) == 1
end

-- Returns the effects that the marks of a transaction tell. `large`: the ids whose bodies have keys of their own.
local function readMarks(marks)
  local did = { taken = {}, both = {}, read = {}, registered = {}, large = {}, written = {} }
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

-- Takes the next marks of a transaction. Returns them, and whether there are more.
local function nextMarks(transaction)
  local key = marksKey(transaction)
  if call('SCARD', key) > MOST_EFFECTS then return call('SPOP', key, MOST_EFFECTS), true end
  local marks = call('SMEMBERS', key)
  call('DEL', key)
  return marks, false
end

-- Takes the next entries that a transaction has written, in order. Returns them, and whether there may be more.
local function nextWritten(transaction)
  flushRecords()
  local key = writtenKey(transaction)
  local ids = call('ZRANGE', key, 0, MOST_EFFECTS - 1)
  if #ids < MOST_EFFECTS then
    call('DEL', key)
    return ids, false
  end
  call('ZREMRANGEBYRANK', key, 0, MOST_EFFECTS - 1)
  return ids, true
end

-- Ends a transaction, or goes on with its end. If committed, its writes take effect and the entries that it took are
-- gone; else it has no effect. Entries are freed in the order of their places, so that waits get the best. Returns
-- whether effects are left.
local function endTransaction(transaction, committed, goesOn)
  local marks, hasMore = nextMarks(transaction)
  local did, owner = readMarks(marks), presenceOf(transaction)
  local hasChanges = exists(keys.changed)
  if hasChanges then LATER.endChanges(transaction, did, committed) end
  for j = 1, #did.registered do
    local registration = did.registered[j]
    if dropRegistration(owner, registration) then push(owner, PUSH.ended, ':' .. registration .. '\t', '') end
  end
  if not hasMore and (did.hasWritten or goesOn) then did.written, hasMore = nextWritten(transaction) end
  facts.effects = (facts.effects or 0) + #marks + #did.written
  if hasMore or goesOn then
    local score = committed and DECIDED.committed or DECIDED.aborted
    if hasMore then call('ZADD', keys.transactions, score, transaction) else call('ZREM', keys.transactions, transaction) end
    if hasMore then dueAt(1) end
  end
  local freed = {}
  local function free(ids, transitions)
    for j = 1, #ids do
      local record = recordOf(ids[j])
      if record then freed[#freed + 1] = { ids[j], record, transitions } end
    end
  end
  free(did.read)
  if committed and hasChanges then
    for j = 1, #did.written do
      free({ did.written[j] }, LATER.endChange(transaction, did.written[j]) and TRANSITIONS.ofChange or TRANSITIONS.ofWrite)
    end
  elseif committed then
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
  facts.recheck, facts.hidden = true, nil
  return hasMore
end

-- Returns whether effects are left. A transaction that is prepared is left as it is.
local function rollBack(transaction)
  local score = tonumber(call('ZSCORE', keys.transactions, transaction) or 0)
  if score < 0 then return true end
  if score >= SHARED.neverMs then return false end
  call('ZREM', keys.transactions, transaction)
  facts[transaction] = 0
  return endTransaction(transaction, false)
end

-- Most ends in one call; the rest follows in the next.
local MOST_DUE = 64

-- Goes on with transactions whose end is decided, and ends those whose lease is over. Returns the names of the latter.
local function endTransactionsDue()
  local due, ended = call('ZRANGEBYSCORE', keys.transactions, '-inf', now, 'WITHSCORES', 'LIMIT', 0, MOST_DUE), {}
  for j = 1, #due, 2 do
    if (facts.effects or 0) >= MOST_EFFECTS then break end
    local score = tonumber(due[j + 1])
    if score < 0 then
      endTransaction(due[j], score == DECIDED.committed, true)
    else
      rollBack(due[j])
      ended[#ended + 1] = due[j]
    end
  end
  return ended
end

-- Ends other things with a lease: transactions, registrations, session entries and their locks.
local function endDue()
  if counters.due == 0 or counters.due > now then return end
  local ended = endTransactionsDue()
  local over = call('ZRANGEBYSCORE', keys.registrations, '-inf', now, 'LIMIT', 0, MOST_DUE)
  for j = 1, #over do dropRegistration(presenceOf(over[j]), sub(over[j], SHARED.presenceLength + 2)) end
  endSessionsDue()
  LATER.showUnfinished()
  counters.due = 0
  -- Their names without the presence: `.number`, `:registration`.
  for _, names in ipairs({ ended, over }) do
    for j = 1, #names do push(presenceOf(names[j]), PUSH.ended, sub(names[j], SHARED.presenceLength + 1) .. '\t', '') end
  end
  local timed = { keys.transactions, keys.registrations, keys.sessions, keys.locks }
  if counters.spanning then timed[5], timed[6] = keys.prepared, keys.decisions end
  for _, key in ipairs(timed) do
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if first then dueAt(tonumber(first) > 0 and tonumber(first) or 1) end
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
  facts[transaction] = ends
  dueAt(ends)
  reply(REPLY.done)
end

function OPS.renewTransaction(transaction, leaseMs)
  if not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local ends = now + tonumber(leaseMs)
  call('ZADD', keys.transactions, ends, transaction)
  facts[transaction] = ends
  dueAt(ends)
  reply(REPLY.done)
end

function OPS.commit(transaction, from, last)
  local why = last >= from and isOpen(transaction) and whyRefused(from, last, transaction)
  if why then return reply(REPLY.failed, why) end
  if not closeTransaction(transaction) then return reply(REPLY.transactionEnded) end
  local hasMore = endTransaction(transaction, true)
  writeEach(from, last)
  reply(hasMore and REPLY.askAgain or REPLY.done)
end

function OPS.abort(transaction)
  local hasMore = isOpen(transaction) and rollBack(transaction)
  reply(hasMore and REPLY.askAgain or REPLY.done)
end

-- Each call goes on with the end of a large transaction, so that it is enough to ask.
function OPS.awaitEnd(transaction)
  reply(isDecided(transaction) and REPLY.askAgain or REPLY.done)
end
