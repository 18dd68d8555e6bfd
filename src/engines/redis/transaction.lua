-- B, L, C, A, e: transactions, from their beginning to their end.

-- Its own session, and the number that this gave it.
local function sessionOf(tid) return sub(tid, 1, 22) end

-- It reads this no longer. The last one sets it free; the last but one may have it now, and is told to look again.
local function unlock(id, tid)
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

local function unhide(id, c) call('ZREM', P .. 'h@' .. c.root, id) end

-- What is gone with it, either way.
local function drop(ids)
  for j = 1, #ids do
    local rec = call('HGET', P .. 'e', ids[j])
    if rec then
      unhide(ids[j], sig(signatureOf(rec)))
      if isLarge(rec) then dropBody(ids[j]) end
    end
  end
  if #ids > 0 then many('HDEL', P .. 'e', ids) end
end

-- What was hidden is there for all now.
local function show(id, rec, letters)
  local c = sig(signatureOf(rec))
  unhide(id, c)
  if expired(rec) then remove(id, rec) else available(id, rec, c, scoreOf(rec), letters) end
end

-- What it wrote is there and what it took is gone; or none of this ever was. What it read is nobody's any longer. All of it is set free in
-- the order of its places: who waits gets the best.
local function finish(tid, committed)
  local marks = call('SMEMBERS', P .. 't' .. tid)
  local written = call('ZRANGE', P .. 'u' .. tid, 0, -1)
  call('ZREM', P .. 'T', tid)
  call('DEL', P .. 't' .. tid, P .. 'u' .. tid)
  txs[tid] = 0
  local taken, both, read = {}, {}, {}
  for j = 1, #marks do
    local letter, id = byte(marks[j]), sub(marks[j], 2)
    if letter == 45 then taken[#taken + 1] = id
    elseif letter == 42 then both[#both + 1] = id
    elseif letter == 114 then read[#read + 1] = id
    elseif letter == 110 and dropRegistration(sessionOf(tid), id) then push(sessionOf(tid), 'T', ':' .. id .. '\t', '') end
  end
  drop(both)
  drop(committed and taken or written)
  local freed = {}
  local function free(ids, letters)
    for j = 1, #ids do
      local rec = call('HGET', P .. 'e', ids[j])
      if rec then freed[#freed + 1] = { ids[j], rec, letters } end
    end
  end
  free(read)
  if committed then free(written, 'wva') else free(taken, 'va') end
  -- What it has written stands in this order already.
  if not committed or #read > 0 then table.sort(freed, byPlace) end
  for j = 1, #freed do
    local each = freed[j]
    if each[3] then show(each[1], each[2], each[3]) else unlock(each[1], tid) end
  end
  facts.recheck = true
end

-- Transactions and registrations whose leases have ended. A bounded number; the rest in the next call.
local function endWhatIsDue()
  if meta.due == 0 or meta.due > now then return end
  local names = call('ZRANGEBYSCORE', P .. 'T', '-inf', now, 'LIMIT', 0, 64)
  for j = 1, #names do
    local name = names[j]
    if byte(name, 23) == 46 then finish(name, false) else dropRegistration(sessionOf(name), sub(name, 24)) end
    push(sessionOf(name), 'T', sub(name, 23) .. '\t', '')
  end
  local next_ = call('ZRANGE', P .. 'T', 0, 0, 'WITHSCORES')
  meta.due = next_[2] and tonumber(next_[2]) or 0
  metaDirty = true
end

-- All that a session has of this sort ends with it.
local function forgetTransactions(sid)
  if call('EXISTS', P .. 'T') == 0 then return end
  local names = call('ZRANGE', P .. 'T', 0, -1)
  for j = 1, #names do
    if sub(names[j], 1, 22) == sid then
      if byte(names[j], 23) == 46 then finish(names[j], false) else dropRegistration(sid, sub(names[j], 24)) end
    end
  end
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
  if not live(tid) then
    answer('T')
  elseif last > i + 1 and (isFull() or isOver(argv, i + 2, last, tid)) then
    answer('e', 'SPACE_FULL')
  else
    finish(tid, true)
    writeEach(argv, i + 2, last)
    answer('k')
  end
  return last + 1
end

-- A: nothing of it ever was. transaction
function OPS.A(argv, i, answer)
  if live(argv[i]) then finish(argv[i], false) end
  answer('k')
  return i + 1
end

-- e: a holder has done it, and with it all that it wrote or did under a transaction; or nothing of this. form as in c, claim, outcome,
-- transaction or '', then as w
function OPS.e(argv, i, answer, credits)
  local wid, credit, place, sid = argv[i]:match('^(%S*) (%d+) (%S) (%S+)$')
  local claim, tid, last = argv[i + 1], argv[i + 3], i + 4 + tonumber(argv[i + 4]) * 3
  if tid ~= '' and not live(tid) then
    answer('T')
    return last + 1
  elseif last > i + 4 and (isFull() or isOver(argv, i + 5, last, tid ~= '' and tid, idOf(claim))) then
    answer('e', 'SPACE_FULL')
    return last + 1
  end
  if tonumber(credit) > 0 then credits[wid] = (credits[wid] or 0) + tonumber(credit) end
  if call('SREM', P .. 'c' .. SID, claim) == 0 then
    if tid ~= '' then finish(tid, false) end
    answer('n')
    return last + 1
  end
  local id = idOf(claim)
  flushPuts()
  call('HDEL', P .. 'e', id)
  cleared({ id })
  if place == '@' then dropBody(id) end
  tell(sid, id, argv[i + 2])
  if tid ~= '' then finish(tid, true) end
  writeEach(argv, i + 5, last)
  answer('k')
  return last + 1
end
