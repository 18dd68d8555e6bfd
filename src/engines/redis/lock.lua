-- Locks: what a transaction holds. What it read can be read by all and taken by nobody else; what it wrote or took is hidden.
-- A transaction is `session.number`; its marks say what it did: r read, - taken, + written, * written and taken.

local function mark(tid, letter, id) call('SADD', P .. 't' .. tid, letter .. id) end

-- Seen by nobody but its transaction; the others are told by it that something is there.
local function hide(id, c, score)
  call('ZADD', P .. 'h@' .. c.root, score, id)
  facts['h@' .. c.root] = true
end

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
  if facts['u' .. tid] ~= false and call('SREM', P .. 't' .. tid, '+' .. id) == 1 then
    call('ZREM', P .. 'u' .. tid, id)
    return mark(tid, '*', id)
  end
  if isThere('R') and unread(id, c) then
    call('SREM', P .. 't' .. tid, 'r' .. id)
  end
  for i = 1, #c.index do call('ZREM', c.index[i], id) end
  hide(id, c, scoreOf(rec))
  mark(tid, '-', id)
end
