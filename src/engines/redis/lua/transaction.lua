-- B, L, C, A: transactions, from their beginning to their end.
-- shares: strike, finish, undo, endWhatIsDue, forgetTransactions

-- Its own session, and the number that this gave it.
local function sessionOf(tid) return sub(tid, 1, 22) end

-- It reads this no longer. The last one sets it free; the last but one may have it now, and is told to look again.
local function endRead(id, tid)
  local held = call('HGET', P .. 'R', id)
  local at = held and find(held, ',' .. tid .. ',', 1, true)
  if not at then return end
  local rec = call('HGET', P .. 'e', id)
  local rest = sub(held, 1, at) .. sub(held, at + #tid + 2)
  if rest ~= ',' then
    call('HSET', P .. 'R', id, rest)
    local other = sub(rest, 2, -2)
    if not find(other, ',', 1, true) then
      push(sessionOf(other), 'A', other .. '\t', '')
      announce(sig(signatureOf(rec)), id, rec, 'a', other)
    end
    return
  end
  local c = sig(signatureOf(rec))
  unread(id, c)
  if expired(rec) then remove(id, rec) else available(id, rec, c, scoreOf(rec), 'a') end
end

-- What is gone with it, either way. `large`: those whose bodies have keys of their own.
local function drop(ids, large)
  if #ids == 0 then return end
  for j = 1, #ids do if large[ids[j]] then dropBody(ids[j]) end end
  many('HDEL', P .. 'e', ids)
end

-- What was hidden is there for all now.
local function show(id, rec, letters)
  if expired(rec) then remove(id, rec) else available(id, rec, sig(signatureOf(rec)), scoreOf(rec), letters) end
end

-- It begins to end; false if it has ended before. Those whose leases are over this call has ended already, unless there were too many.
local function strike(tid)
  if txs[tid] == nil and (meta.due == 0 or meta.due > now) then
    txs[tid] = 0
    return call('ZREM', P .. 'T', tid) == 1
  end
  local is = live(tid)
  txs[tid] = 0
  return call('ZREM', P .. 'T', tid) == 1 and is
end

-- What it wrote is there and what it took is gone; or none of this ever was. What it read is nobody's any longer. All of it is set free in
-- the order of its places: who waits gets the best.
local function finish(tid, committed)
  local key, own, written = P .. 't' .. tid, P .. 'u' .. tid, {}
  local marks = call('SMEMBERS', key)
  call('DEL', key)
  local taken, both, read, large = {}, {}, {}, {}
  for j = 1, #marks do
    local letter, id = byte(marks[j]), unmarked(marks[j])
    if byte(marks[j], 2) == 64 then large[id] = true end
    if letter == 45 then taken[#taken + 1] = id
    elseif letter == 42 then both[#both + 1] = id
    elseif letter == 114 then read[#read + 1] = id
    elseif letter == 110 and dropRegistration(sessionOf(tid), id) then push(sessionOf(tid), 'T', ':' .. id .. '\t', '')
    elseif letter == 119 then
      flushPuts()
      written = call('ZRANGE', own, 0, -1)
      call('DEL', own)
    end
  end
  local freed = {}
  local function free(ids, letters)
    for j = 1, #ids do
      local rec = call('HGET', P .. 'e', ids[j])
      if rec then freed[#freed + 1] = { ids[j], rec, letters } end
    end
  end
  free(read)
  if committed then
    free(written, 'wva')
  else
    free(taken, 'va')
    for j = 1, #written do
      local rec = call('HGET', P .. 'e', written[j])
      large[written[j]] = rec and isLarge(rec)
    end
  end
  drop(both, large)
  drop(committed and taken or written, large)
  -- What it has written stands in this order already.
  if not committed or #read > 0 then table.sort(freed, byPlace) end
  for j = 1, #freed do
    local each = freed[j]
    if each[3] then show(each[1], each[2], each[3]) else endRead(each[1], tid) end
  end
  facts.recheck = true
end

-- None of it ever was.
local function undo(tid)
  call('ZREM', P .. 'T', tid)
  txs[tid] = 0
  finish(tid, false)
end

local MOST_DUE = 64

-- Transactions and registrations whose leases have ended. A bounded number; the rest in the next call.
local function endWhatIsDue()
  if meta.due == 0 or meta.due > now then return end
  local ended = call('ZRANGEBYSCORE', P .. 'T', '-inf', now, 'LIMIT', 0, MOST_DUE)
  for j = 1, #ended do undo(ended[j]) end
  local over = call('ZRANGEBYSCORE', P .. 'N', '-inf', now, 'LIMIT', 0, MOST_DUE)
  for j = 1, #over do dropRegistration(sessionOf(over[j]), sub(over[j], 24)) end
  endSessionsDue()
  meta.due = 0
  for _, names in ipairs({ ended, over }) do
    for j = 1, #names do push(sessionOf(names[j]), 'T', sub(names[j], 23) .. '\t', '') end
  end
  for _, key in ipairs({ 'T', 'N', 'Y', 'L' }) do
    local first = call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')[2]
    if first then dueAt(tonumber(first)) end
  end
  metaDirty = true
end

-- All that a session has of this sort ends with it.
local function forgetTransactions(sid)
  local names = transactions()
  for j = 1, #names do if sub(names[j], 1, 22) == sid then undo(names[j]) end end
  local wids = call('HKEYS', P .. 'q' .. sid)
  for j = 1, #wids do if byte(wids[j], -1) ~= 35 then dropRegistration(sid, wids[j]) end end
end

-- B: one begins. number, lease in ms
function OPS.B(argv, i, answer)
  local tid, ends = SID .. '.' .. argv[i], now + tonumber(argv[i + 1])
  call('ZADD', P .. 'T', ends, tid)
  facts.T = true
  -- It has written nothing so far.
  facts['u' .. tid] = false
  txs[tid] = ends
  dueAt(ends)
  answer('k')
  return i + 2
end

-- L: its lease ends so long from now. transaction, lease in ms
function OPS.L(argv, i, answer)
  local tid, ends = argv[i], now + tonumber(argv[i + 1])
  if live(tid) then
    call('ZADD', P .. 'T', ends, tid)
    txs[tid] = ends
    dueAt(ends)
    answer('k')
  else
    answer('T')
  end
  return i + 2
end

-- C: all of it is so, and what is written with it. transaction, then as w
function OPS.C(argv, i, answer)
  local tid, last = argv[i], i + 1 + tonumber(argv[i + 1]) * 3
  if last > i + 1 and live(tid) and (isFull() or isOver(argv, i + 2, last, tid)) then
    answer('e', 'SPACE_FULL')
  elseif not strike(tid) then
    answer('T')
  else
    finish(tid, true)
    writeEach(argv, i + 2, last)
    answer('k')
  end
  return last + 1
end

-- A: nothing of it ever was. transaction
function OPS.A(argv, i, answer)
  if live(argv[i]) then undo(argv[i]) end
  answer('k')
  return i + 1
end
