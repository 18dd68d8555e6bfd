-- h, H, t, Z, Q, Y, X: session entries are loaded, saved, touched, destroyed; a lock is given back; they are counted, and listed.
--
-- A session entry is a hash: `=name` → `version text` for each attribute, and `.` → `version bytes owner`. Its lease stands in Y, so touching it
-- moves nothing, and counting looks at none. Its id begins with $, by which its locks are told from other claims.
-- A lock is a claim: in the set of what its process holds, and with it gone when that is. Who waits for one stands in a line, as a take does.

local LOCK_KIND = 'takespace.SessionLock'
local SESSION_KIND = 'takespace.Session'
-- So many end in one call, beside what it was asked: a millisecond.
local MOST_ENDED = 256

local function isSessionThere(id)
  local ends = call('ZSCORE', P .. 'Y', id)
  return ends and tonumber(ends) > now, ends
end

-- All that sessions take, beside what Redis takes for it.
local function growSessions(by)
  if by == 0 then return end
  meta.sessions = (meta.sessions or 0) + by
  metaDirty = true
  if bounded then bytesSince = bytesSince + by end
end

-- `session claim` of who has locked it.
local function lockerOf(id) return isThere('G') and call('HGET', P .. 'G', id) end

local function lockFor(sid, id, ms)
  local claim, ends = claimFor(sid, id), now + ms
  call('HSET', P .. 'G', id, sid .. ' ' .. claim)
  call('ZADD', P .. 'L', ends, claim)
  facts.G = true
  dueAt(ends)
  return claim
end

-- The next one in line, who stands there no longer.
local function nextInLine(id)
  local member = hand(sig('|@' .. LOCK_KIND .. '|id=' .. id .. '|;|'))
  if not member then return end
  local who = memberOf(member)
  local spec = specOf(who.sid, who.wid)
  unregister(who.sid, who.wid)
  return who, spec
end

local function dropLock(id, locker)
  local claim = sub(locker, 24)
  call('HDEL', P .. 'G', id)
  call('ZREM', P .. 'L', claim)
  local sid = sub(locker, 1, 22)
  call('SREM', P .. 'c' .. sid, claim)
  -- It may have been given by this same call.
  local noted = claims[sid] or {}
  for j = #noted, 1, -1 do if noted[j] == claim then table.remove(noted, j) end end
  if #noted == 0 then claims[sid] = nil end
end

-- Whoever waits for the lock has it now.
unlock = function(claim)
  local id = idOf(claim)
  local locker = lockerOf(id)
  if not locker or sub(locker, 24) ~= claim then return end
  dropLock(id, locker)
  local who, spec = nextInLine(id)
  if who then push(who.sid, who.delivery, lockFor(who.sid, id, spec.lockMs), '') end
end

local function headOf(packed)
  local version, bytes, owner = packed:match('^(%x+) (%d+) (.*)$')
  return tonumber(version, 16), tonumber(bytes), owner
end

-- It stays so: nothing is left of it, those who wait for its lock hear that it is gone, and whoever asked for it hears why.
local function endSession(id, reason)
  local packed = call('HGET', P .. 'h' .. id, '.')
  call('ZREM', P .. 'Y', id)
  call('UNLINK', P .. 'h' .. id)
  local owner = ''
  if packed then
    local _, bytes
    _, bytes, owner = headOf(packed)
    if owner ~= '' then call('SREM', P .. 'y' .. owner, id) end
    growSessions(-bytes)
  end
  local locker = lockerOf(id)
  if locker then
    dropLock(id, locker)
    for who in nextInLine, id do push(who.sid, 'z' .. who.wid .. '\t', '', '') end
  end
  local S = '|@' .. SESSION_KIND .. (owner ~= '' and '|owner=' .. owner or '') .. '|;|'
  local c = sig(S)
  if #linesFor(c, 'n') > 0 then
    announce(c, id, NEVER .. now13 .. '0' .. scoreText(SCORE_ZERO) .. 'e.' .. S .. '\n' .. reason .. ' ' .. owner, 'e')
  end
end

-- Sessions whose leases have ended, and locks whose time is over.
local function endSessionsDue()
  local ended = call('ZRANGEBYSCORE', P .. 'Y', '-inf', now, 'LIMIT', 0, MOST_ENDED)
  for j = 1, #ended do endSession(ended[j], 'expired') end
  local over = call('ZRANGEBYSCORE', P .. 'L', '-inf', now, 'LIMIT', 0, MOST_ENDED)
  for j = 1, #over do unlock(over[j]) end
end

-- A page: what is left of its lease and whose it is, then each attribute.
local function contentsOf(id, ends)
  local flat = call('HGETALL', P .. 'h' .. id)
  local page, n = { now13, '', '', '\t0\n' }, 4
  for j = 1, #flat, 2 do
    local name, kept = flat[j], flat[j + 1]
    if name == '.' then
      local _, _, owner = headOf(kept)
      page[2], page[3] = 'h' .. (ends == NEVER and '' or format('%.0f', tonumber(ends) - now)) .. '\t', owner
    else
      page[n + 1], page[n + 2], page[n + 3] = 'i' .. sub(name, 2) .. '\t', lengthOf(kept), kept
      n = n + 3
    end
  end
  return concat(page)
end

-- h: what is in it. With a wait it is locked; if it is already, by another one, that wait stands in line. id, wait or '', ms of the lock
function OPS.h(argv, i, answer)
  local id, wid = argv[i], argv[i + 1]
  local is, ends = isSessionThere(id)
  if not is then
    answer('n')
  elseif wid == '' then
    answer('p', '', contentsOf(id, ends))
  elseif lockerOf(id) then
    register(SID, wid, { mode = 't', kind = LOCK_KIND, indexed = { 'id=' .. id }, verified = {}, tx = '', lockMs = tonumber(argv[i + 2]) }, 1)
    answer('w')
  else
    answer('p', lockFor(SID, id, tonumber(argv[i + 2])), contentsOf(id, ends))
  end
  return i + 3
end

local function leaseSession(id, lease)
  local ends = now + lease
  if lease < 0 or ends > 9999999999999 then ends = 9999999999999 end
  call('ZADD', P .. 'Y', ends, id)
  dueAt(ends)
end

-- Why it may not be saved, or nil; else the size that it has then.
local function refusal(argv, from, last, is, isNew, old, bytes, most)
  local size = isNew and 0 or bytes
  for at = from, last, 3 do
    local name, expected, text, kept = argv[at], argv[at + 1], argv[at + 2], old[(at - from) / 3 + 2]
    local space = kept and find(kept, ' ', 1, true)
    if expected ~= '' and expected ~= (kept and sub(kept, 1, space - 1) or '-') then return 'SESSION_CONFLICT' end
    if kept and not isNew then size = size - #name - (#kept - space) end
    if text ~= '' then size = size + #name + #text end
  end
  local growth = size - bytes
  if growth > 0 and size > most then return 'SESSION_TOO_LARGE' end
  if (growth > 0 or not is) and (isFull() or bounded and isTooMuch(is and 0 or 1, growth)) then return 'SPACE_FULL' end
  return nil, size
end

-- H: it is changed, or made if it is said to be new (n). id, lease in ms (-1: for ever), n or u, lock or '', owner (@ before it; '': as it
-- was), most bytes, how many attributes; then for each: name, the version that it must have (-: there is none; '': any), text ('': it goes)
function OPS.H(argv, i, answer)
  local id, isNew, claim, owner, n = argv[i], argv[i + 2] == 'n', argv[i + 3], argv[i + 4], tonumber(argv[i + 6])
  local key, from, last = P .. 'h' .. id, i + 7, i + 6 + n * 3
  local is, ends = isSessionThere(id)
  if not is and ends then endSession(id, 'expired') end
  if not is and not isNew then
    answer('n')
    return last + 1
  end
  local locker = lockerOf(id)
  if claim ~= '' and not (locker and sub(locker, 24) == claim) then
    answer('e', 'CLAIM_LOST')
    return last + 1
  elseif claim == '' and locker then
    answer('e', 'SESSION_LOCKED')
    return last + 1
  end
  local names = { '.' }
  for at = from, last, 3 do names[#names + 1] = '=' .. argv[at] end
  local old, version, bytes, owned = {}, 0, 0, ''
  if is then
    old = call('HMGET', key, unpack_(names))
    version, bytes, owned = headOf(old[1])
  end
  local refused, size = refusal(argv, from, last, is, isNew, old, bytes, tonumber(argv[i + 5]))
  if refused then
    answer('e', refused)
    return last + 1
  end
  version = meta.tok > version and meta.tok or version + 1
  local v, owns = format('%x', version), owner == '' and owned or sub(owner, 2)
  if n > 0 or isNew or owns ~= owned then
    local set, gone = { '.', v .. ' ' .. format('%.0f', size) .. ' ' .. owns }, {}
    for at = from, last, 3 do
      local name, text = '=' .. argv[at], argv[at + 2]
      if text == '' then
        gone[#gone + 1] = name
      else
        set[#set + 1], set[#set + 2] = name, v .. ' ' .. text
      end
    end
    if isNew and is then call('UNLINK', key) end
    many('HSET', key, set)
    if #gone > 0 then many('HDEL', key, gone) end
    growSessions(size - bytes)
    if owns ~= owned then
      if owned ~= '' then call('SREM', P .. 'y' .. owned, id) end
      if owns ~= '' then call('SADD', P .. 'y' .. owns, id) end
    end
  end
  leaseSession(id, tonumber(argv[i + 1]))
  if claim ~= '' then unlock(claim) end
  answer('m', v)
  return last + 1
end

-- t: its lease ends so long from now, and nothing else changes. id, lease in ms (-1: for ever), lock or ''
function OPS.t(argv, i, answer)
  local is = isSessionThere(argv[i])
  if is then leaseSession(argv[i], tonumber(argv[i + 1])) end
  if argv[i + 2] ~= '' then unlock(argv[i + 2]) end
  answer(is and 'k' or 'n')
  return i + 3
end

-- Z: it is gone, and stays so. id
function OPS.Z(argv, i, answer)
  local is, ends = isSessionThere(argv[i])
  if ends then endSession(argv[i], is and 'destroyed' or 'expired') end
  answer(is and 'k' or 'n')
  return i + 1
end

-- Q: a lock is given back. lock
function OPS.Q(argv, i, answer)
  unlock(argv[i])
  answer('k')
  return i + 1
end

-- Y: how many there are. @ and an owner, or '' for all
function OPS.Y(argv, i, answer)
  local owner = argv[i]
  answer('m', text(owner == '' and call('ZCOUNT', P .. 'Y', '(' .. format('%.0f', now), '+inf') or call('SCARD', P .. 'y' .. sub(owner, 2))))
  return i + 1
end

-- X: a page of their ids, with a space between. @ and an owner, or '' for all; where the last page ended, at first 0
function OPS.X(argv, i, answer)
  local owner, page, ids = argv[i], nil, {}
  if owner == '' then
    page = call('ZSCAN', P .. 'Y', argv[i + 1], 'COUNT', 100)
    for j = 1, #page[2], 2 do if tonumber(page[2][j + 1]) > now then ids[#ids + 1] = page[2][j] end end
  else
    page = call('SSCAN', P .. 'y' .. sub(owner, 2), argv[i + 1], 'COUNT', 100)
    for j = 1, #page[2] do if isSessionThere(page[2][j]) then ids[#ids + 1] = page[2][j] end end
  end
  answer('p', page[1], concat(ids, ' '))
  return i + 2
end
