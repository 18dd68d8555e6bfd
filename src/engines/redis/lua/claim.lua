-- Claims: an entry handed to a holder under a fencing token, until it is acknowledged, completed, given back, or the holder is gone.
-- shares: claimFor, idOf, suspect, cleared, dropOutcome, tell, announce, available, giveBack, recover

-- The token of a claim: this call's number, greater than every one before it, then which claim of the call it is, then the nonce, which
-- tells histories apart.
local function claimFor(sid, id)
  if not tokenBase then
    tokenBase = format('%x', meta.tok)
    metaDirty = true
  end
  claimsMade = claimsMade + 1
  local claim = id .. ':' .. tokenBase .. '.' .. textOf(claimsMade) .. NONCE
  local list = claims[sid]
  if list then list[#list + 1] = claim else claims[sid] = { claim } end
  return claim
end

local function idOf(claim) return sub(claim, 1, find(claim, ':', 1, true) - 1) end

local function suspect(sid, id)
  call('HSET', P .. 'D', id, sid)
  facts.D = true
end

local function cleared(ids)
  if isThere('D') then call('HDEL', P .. 'D', unpack_(ids)) end
end

-- Hands an entry to whoever stands in the line: a plain take leaves it, an offer stays with what credit it has left.
local function deliver(member, id, rec)
  local who = memberOf(member)
  if isSuspect(rec) then suspect(who.sid, id) end
  push(who.sid, who.delivery, claimFor(who.sid, id), rec)
  if who.once then unregister(who.sid, who.wid) end
end

-- The body of an outcome that stands under a key of its own, which bears the name of its claim.
local function dropOutcome(claim) call('UNLINK', P .. 'b' .. claim) end

local function tell(sid, id, outcome)
  if sid == KEPT then return LATER.keep(id, outcome) end
  if not alive(sid) then
    if byte(outcome) == 67 then dropOutcome(sub(outcome, 2)) end
    return false
  end
  local list = outs[sid]
  if not list then
    list = {}
    outs[sid] = list
  end
  local n = #list
  list[n + 1], list[n + 2] = id, outcome
  push(sid, 'o' .. id, '\t', outcome)
  return true
end

-- Whoever asked to be told of such a change is told: w written, v visible, a available. Once, however many of its templates match.
-- `tid`: only those are told who asked under this transaction.
local function announce(c, id, rec, letters, tid)
  local told = {}
  local lists = linesFor(c, 'n')
  for i = 1, #lists do
    local line = lineOf(lists[i][1], true)
    for member in pairs(line.score) do
      local who = memberOf(member)
      if find(letters, sub(who.wid, 2, 2), 1, true) and (not lists[i][2] or meets(member, c.text)) then
        local spec = tid and specOf(who.sid, who.wid)
        local wid = sub(who.wid, 1, find(who.wid, '.', 1, true) - 1)
        local name = who.sid .. wid
        if (not tid or spec.tx == tid) and not told[name] then
          told[name] = true
          local number = call('HINCRBY', P .. 'q' .. who.sid, wid, 1)
          push(who.sid, 'e' .. wid .. '\t', id .. ' ' .. format('%.0f', number), rec)
        end
      end
    end
  end
end

-- The entry is free from now on: every waiting reader is shown it, then a waiting taker has it, or the indexes do. Readers under
-- transactions come after the takers: what they have read nobody else may take.
local function available(id, rec, c, score, letters)
  if #linesFor(c, 'n') > 0 then announce(c, id, rec, letters) end
  local readers, locking = linesFor(c, 'r'), nil
  for i = 1, #readers do
    local line = lineOf(readers[i][1], true)
    for member in pairs(line.score) do
      if not readers[i][2] or meets(member, c.text) then
        local who = memberOf(member)
        if byte(who.wid) == 82 then
          locking = locking or {}
          locking[#locking + 1] = who
        else
          push(who.sid, who.view, id, rec)
          unregister(who.sid, who.wid)
        end
      end
    end
  end
  local taker = hand(c, isSuspect(rec))
  if taker then return deliver(taker, id, rec) end
  if locking then
    local locked
    flushPuts()
    for i = 1, #locking do
      local who = locking[i]
      local spec = specOf(who.sid, who.wid)
      if spec and live(spec.tx) then
        lock(id, rec, c, spec.tx)
        push(who.sid, who.view, id, rec)
        locked = true
      end
      unregister(who.sid, who.wid)
    end
    if locked then return end
  end
  for i = 1, #c.index do
    append(adds, c.index[i], score)
    append(adds, c.index[i], id)
  end
  dirty = true
end

-- Back to its place, for whoever comes first. One whose requester is gone is not run for nobody.
local function putBack(id, rec)
  if expired(rec) or (isRequest(rec) and not alive(replyTo(rec))) then return remove(id, rec) end
  available(id, rec, sig(signatureOf(rec)), scoreOf(rec), 'va')
end

-- Gives back what a holder did not do. It may have been about to: then the body of its outcome is there already. A claim that begins with $
-- is a lock on a session entry (session-entry.lua).
local function giveBack(claim)
  if byte(claim) == 36 then return LATER.unlockSession(claim) end
  local id = idOf(claim)
  dropOutcome(claim)
  local rec = call('HGET', P .. 'e', id)
  cleared({ id })
  if rec then putBack(id, rec) end
end

-- What a holder that died had: whether it may run again is the request's to say, how often is ours (DESIGN §3, promise 5).
local function recover(claim)
  if byte(claim) == 36 then return LATER.unlockSession(claim) end
  local started = byte(claim, -1) == 33
  local id = idOf(claim)
  dropOutcome(started and sub(claim, 1, -2) or claim)
  local rec = call('HGET', P .. 'e', id)
  cleared({ id })
  if not rec then return end
  local deaths = tonumber(sub(rec, 27, 27)) + 1
  local most = isRequest(rec) and tonumber(sub(rec, 68, 68))
  if isRequest(rec) and started and isOnce(rec) and not (isStreamed(rec) and deaths >= most) then
    tell(replyTo(rec), id, 'l')
    remove(id, rec)
  else
    if deaths > 9 then deaths = 9 end
    rec = sub(rec, 1, 26) .. deaths .. sub(rec, 28)
    if isRequest(rec) and deaths >= most then
      tell(replyTo(rec), id, 'x')
      return setAside(id, rec, 's:exhausted')
    end
    call('HSET', P .. 'e', id, rec)
    putBack(id, rec)
  end
end

-- a: a plain take is final, one under a transaction is that one's; not if the entry was cancelled, or its lease ended, since it was handed
-- out. claim, transaction or ''
function OPS.a(argv, i, answer)
  local claim, tid = argv[i], argv[i + 1]
  local id = idOf(claim)
  if tid ~= '' then
    local held = call('SREM', P .. 'c' .. SID, claim) == 1
    local rec = held and call('HGET', P .. 'e', id)
    if not live(tid) then
      if rec then putBack(id, rec) end
      answer('T')
    elseif rec and not expired(rec) then
      takeUnder(tid, id, rec)
      answer('k')
    else
      if rec then remove(id, rec) end
      answer('n')
    end
  elseif call('SREM', P .. 'c' .. SID, claim) == 1 and call('HDEL', P .. 'e', id) == 1 then
    dropBody(id)
    answer('k')
  else
    answer('n')
  end
  return i + 2
end

-- s: a holder is about to do what may not be done twice; asked once more it still is. claim
function OPS.s(argv, i, answer)
  local key, claim = P .. 'c' .. SID, argv[i]
  if call('SREM', key, claim) == 1 then
    call('SADD', key, claim .. '!')
    answer('k')
  else
    answer(call('SISMEMBER', key, claim .. '!') == 1 and 'k' or 'n')
  end
  return i + 1
end

-- r: a holder gives back what it did not do; its offer has room again. What it had started and may not run twice is lost. claim, offer or ''
function OPS.r(argv, i, answer, credits)
  local key, claim = P .. 'c' .. SID, argv[i]
  -- A holder that did not hear whether its start was noted has not started.
  if call('SREM', key, claim) == 1 or call('SREM', key, claim .. '!') == 1 then
    local id = idOf(claim)
    local rec = call('HGET', P .. 'e', id)
    cleared({ id })
    if rec and isOnce(rec) and byte(claim, -1) == 33 then
      tell(replyTo(rec), id, 'l')
      remove(id, rec)
    elseif rec then
      putBack(id, rec)
    end
    local wid = argv[i + 1]
    if wid ~= '' then credits[wid] = (credits[wid] or 0) + 1 end
  end
  answer('k')
  return i + 2
end

-- S: the body of an outcome, where a plain SET is refused since the server is full. claim, body
function OPS.S(argv, i, answer)
  call('SET', P .. 'b' .. argv[i], argv[i + 1], 'PX', BODY_UNWRITTEN_MS)
  answer('k')
  return i + 2
end

-- k: outcomes that have arrived. how many, then an id each, @claim if its body has a key of its own
function OPS.k(argv, i, answer)
  local n = tonumber(argv[i])
  local ids = {}
  for j = 1, n do
    local id = argv[i + j]
    if byte(id) == 64 then
      dropOutcome(sub(id, 2))
      id = idOf(sub(id, 2))
    end
    ids[j] = id
  end
  many('HDEL', P .. 'o' .. SID, ids)
  answer('k')
  return i + n + 1
end
