-- Claims: an entry handed to a holder under a fencing token, until it is acknowledged, completed, given back, or the holder is gone.

-- A token is greater than every one before it, also after a failover that forgot the last ones; the nonce tells histories apart.
local function claimFor(sid, id)
  meta.tok = meta.tok + 1
  metaDirty = true
  local claim = id .. ':' .. format('%.0f', meta.tok) .. NONCE
  append(claims, sid, claim)
  return claim
end

local function idOf(claim) return sub(claim, 1, find(claim, ':', 1, true) - 1) end

-- Hands an entry to whoever stands in the line: a plain take leaves it, an offer stays with what credit it has left.
local function deliver(member, id, rec)
  local sid, wid = sessionOf(member), waitOf(member)
  push(sid, 'd', wid, claimFor(sid, id), rec)
  if byte(wid) ~= 111 then unregister(sid, wid) end
end

local function tell(sid, id, outcome)
  if not alive(sid) then return false end
  append(outs, sid, id)
  append(outs, sid, outcome)
  push(sid, 'o', id, '', outcome)
  return true
end

-- The entry is free from now on: every waiting reader is shown it, then a waiting taker has it, or the indexes do.
local function available(id, rec, S, score)
  local c = sig(S)
  local readers = linesFor(c, 'r')
  for i = 1, #readers do
    local line = lineOf(readers[i][1], true)
    for member in pairs(line.score) do
      if not readers[i][2] or meets(member, S) then
        push(sessionOf(member), 'v', waitOf(member), id, rec)
        unregister(sessionOf(member), waitOf(member))
      end
    end
  end
  local taker = hand(c)
  if taker then return deliver(taker, id, rec) end
  for i = 1, #c.index do
    append(adds, c.index[i], score)
    append(adds, c.index[i], id)
  end
  dirty = true
end

-- Back to its place, for whoever comes first. One whose requester is gone is not run for nobody.
local function putBack(id, rec)
  if expired(rec) or (isRequest(rec) and not alive(replyTo(rec))) then return remove(id, rec) end
  available(id, rec, signatureOf(rec), scoreOf(rec))
end

local MOST_DELIVERIES = 3

-- What a holder that died had: whether it may run again is the request's to say, how often is ours (DESIGN §3, promise 5).
local function recover(claim)
  local started = byte(claim, -1) == 33
  local id = idOf(claim)
  local rec = call('HGET', P .. 'e', id)
  if not rec then return end
  local deaths = tonumber(sub(rec, 27, 27)) + 1
  if isRequest(rec) and started and byte(rec, 45) == 81 then
    tell(replyTo(rec), id, 'l')
    remove(id, rec)
  elseif isRequest(rec) and deaths >= MOST_DELIVERIES then
    tell(replyTo(rec), id, 'x')
    remove(id, rec)
  else
    if deaths > 9 then deaths = 9 end
    rec = sub(rec, 1, 26) .. deaths .. sub(rec, 28)
    call('HSET', P .. 'e', id, rec)
    putBack(id, rec)
  end
end

-- a: a plain take is final. claim
function OPS.a(argv, i, answer)
  local claim = argv[i]
  if call('SREM', P .. 'c' .. SID, claim) == 0 then
    answer('n')
  else
    local id = idOf(claim)
    call('HDEL', P .. 'e', id)
    call('UNLINK', P .. 'b' .. id)
    answer('k')
  end
  return i + 1
end

-- s: a holder is about to do what may not be done twice. claim
function OPS.s(argv, i, answer)
  local key, claim = P .. 'c' .. SID, argv[i]
  if call('SREM', key, claim) == 0 then
    answer('n')
  else
    call('SADD', key, claim .. '!')
    answer('k')
  end
  return i + 1
end

-- r: a holder gives back what it did not do. claim
function OPS.r(argv, i, answer)
  local claim = argv[i]
  if call('SREM', P .. 'c' .. SID, claim) == 1 then
    local id = idOf(claim)
    local rec = call('HGET', P .. 'e', id)
    if rec then putBack(id, rec) end
  end
  answer('k')
  return i + 1
end

-- c: a holder has done it. claim, offer, credit, session to tell, @ if the request's body has a key of its own, outcome
function OPS.c(argv, i, answer, credits)
  local claim, wid, credit = argv[i], argv[i + 1], tonumber(argv[i + 2])
  if credit > 0 then credits[wid] = (credits[wid] or 0) + credit end
  local id = idOf(claim)
  if call('SREM', P .. 'c' .. SID, claim) == 1 and call('HDEL', P .. 'e', id) == 1 then
    if argv[i + 4] == '@' then call('UNLINK', P .. 'b' .. id) end
    tell(argv[i + 3], id, argv[i + 5])
    answer('k')
  else
    answer('n')
  end
  return i + 6
end

-- k: outcomes that have arrived. how many, then an id each, @id if its body has a key of its own
function OPS.k(argv, i, answer)
  local n = tonumber(argv[i])
  local ids = {}
  for j = 1, n do
    local id = argv[i + j]
    if byte(id) == 64 then
      id = sub(id, 2)
      call('UNLINK', P .. 'b' .. id .. ':r')
    end
    ids[j] = id
  end
  many('HDEL', P .. 'o' .. SID, ids)
  answer('k')
  return i + n + 1
end
