-- Locks of transactions: entries they read can be read by all and taken by no others; those they wrote or took are in
-- no index.
--
-- A transaction is `presence.number`. Its marks (MARK in protocol.ts) say what it did to which id. If the entry is to
-- be removed and its body has a key of its own, @ is before the id. Written entries are in a set of their own, in
-- order.
-- shares: mark, unmarked, takenUnder, openTransactions, hasWritten, lockRead, takeUnder

local function mark(transaction, kind, id)
  facts.hidden = nil
  call('SADD', marksKey(transaction), kind .. id)
end

-- Returns the id that a mark names.
local function unmarked(text) return sub(text, byte(text, 2) == SIGN_BYTES.reference and 3 or 2) end

-- Returns the ids of entries that a transaction has taken, in no order.
local function takenUnder(transaction)
  local ids, marks = {}, call('SMEMBERS', marksKey(transaction))
  for j = 1, #marks do
    local kind = byte(marks[j])
    if kind == MARK_BYTES.taken or kind == MARK_BYTES.writtenAndTaken then ids[#ids + 1] = unmarked(marks[j]) end
  end
  return ids
end

local function openTransactions() return call('ZRANGE', keys.transactions, 0, -1) end

local function markTaken(transaction, kind, id, record)
  mark(transaction, kind, isLarge(record) and SIGN.reference .. id or id)
end

local function hasWritten(transaction, id)
  local key = writtenKey(transaction)
  return facts[key] ~= false and call('ZSCORE', key, id) ~= false
end

-- Notes that a transaction has read an entry: from now on no other takes it. The entry may be in the indexes of free
-- entries, or in none.
local function lockRead(id, record, info, transaction)
  local readers = call('HGET', keys.readers, id)
  if not readers then
    local index, score = readIndexOf(info), scoreOf(record)
    for i = 1, #index do
      call('ZREM', info.index[i], id)
      call('ZADD', index[i], score, id)
    end
    if info.ordered then LATER.order.takeOut(info, id, record) end
    readers = ','
    facts[keys.readers] = true
  elseif find(readers, ',' .. transaction .. ',', 1, true) then
    return
  end
  call('HSET', keys.readers, id, readers .. transaction .. ',')
  mark(transaction, MARK.read, id)
end

-- Takes an entry under a transaction that wrote it, that alone has read it, or to which it is free or was just handed.
local function takeUnder(transaction, id, record)
  local info, written = indexInfo(signatureOf(record)), writtenKey(transaction)
  if facts[written] ~= false and call('ZREM', written, id) == 1 then
    return markTaken(transaction, MARK.writtenAndTaken, id, record)
  end
  if exists(keys.readers) and endReads(id, info) then
    call('SREM', marksKey(transaction), MARK.read .. id)
  end
  unindex(id, info, record)
  markTaken(transaction, MARK.taken, id, record)
end
