-- Locks: what a transaction holds. What it read can be read by all and taken by nobody else; what it wrote or took is in no index.
-- A transaction is `session.number`; its marks say what it did: r read, - taken, * written and taken, n registered; w that it has written,
-- and what stands by itself, in order. An id whose body has a key of its own has @ before it where it is to be removed.
-- shares: mark, unmarked, takenUnder, transactions, hasWritten, lock, takeUnder

local function mark(tid, letter, id) call('SADD', P .. 't' .. tid, letter .. id) end

-- The id that a mark names.
local function unmarked(text) return sub(text, byte(text, 2) == 64 and 3 or 2) end

-- What a transaction has taken, in no order.
local function takenUnder(tid)
  local ids, marks = {}, call('SMEMBERS', P .. 't' .. tid)
  for j = 1, #marks do
    local letter = byte(marks[j])
    if letter == 45 or letter == 42 then ids[#ids + 1] = unmarked(marks[j]) end
  end
  return ids
end

-- All that are under way.
local function transactions() return call('ZRANGE', P .. 'T', 0, -1) end

local function markTaken(tid, letter, id, rec) mark(tid, letter, isLarge(rec) and '@' .. id or id) end

local function hasWritten(tid, id) return facts['u' .. tid] ~= false and call('ZSCORE', P .. 'u' .. tid, id) ~= false end

-- From now on nobody else takes it; it may stand in the indexes of what is free, or in none.
local function lock(id, rec, c, tid)
  local held = call('HGET', P .. 'R', id)
  if not held then
    local locks, score = locksOf(c), scoreOf(rec)
    for i = 1, #locks do
      call('ZREM', c.index[i], id)
      call('ZADD', locks[i], score, id)
    end
    held = ','
    facts.R = true
  elseif find(held, ',' .. tid .. ',', 1, true) then
    return
  end
  call('HSET', P .. 'R', id, held .. tid .. ',')
  mark(tid, 'r', id)
end

-- Taken under a transaction: what it had written itself, what it alone had read, or what was free or just handed to it.
local function takeUnder(tid, id, rec)
  local c = sig(signatureOf(rec))
  if facts['u' .. tid] ~= false and call('ZREM', P .. 'u' .. tid, id) == 1 then return markTaken(tid, '*', id, rec) end
  if isThere('R') and unread(id, c) then
    call('SREM', P .. 't' .. tid, 'r' .. id)
  end
  for i = 1, #c.index do call('ZREM', c.index[i], id) end
  markTaken(tid, '-', id, rec)
end
