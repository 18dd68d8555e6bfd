-- v, P, T, D, Q, Y, X: session entries are loaded, saved, touched, destroyed; a lock is given back; they are counted, and listed.
--
-- A session entry is one string: a line, then for each attribute a line `name<tab>version<tab>length` and its text; of two of one name the
-- later one counts. The first line is
--
--   1-13  when its lease ends, ms on the lease clock; all nines: never
--  14     ! while it is locked
--  15-22  its size: bytes of all names and texts
--  24-39  its version
--  41-    whose it is
--
-- So many are read by one MGET, past these functions, which would copy every byte more than once; and what is saved is written as it came
-- (session-save.lua), unless two have changed a session at once. Each save says what it changes.
-- In Y it stands by when its lease ends, or by when that was to end before it was renewed: so counting looks at none, and a renewal is not
-- noted there until it matters. Its id begins with $, by which its locks are told from other claims.
-- A lock is a claim: in the set of what its process holds, and with it gone when that is. Who waits for one stands in a line, as a take does.
-- shares: growSessions, endSessionsDue

local LOCK_KIND = 'takespace.SessionLock'
local SESSION_KIND = 'takespace.Session'
-- So many end in one call, beside what it was asked: a millisecond.
local MOST_ENDED = 256

-- The fixed part of its first line, '' if there is none; and the whole of it.
local function headOf(id) return call('GETRANGE', P .. 'h' .. id, 0, 39) end
local function wholeHeadOf(id)
  local head = call('GETRANGE', P .. 'h' .. id, 0, 4095)
  return sub(head, 1, find(head, '\n', 1, true) or 0)
end

-- Times are compared as text: both have 13 digits.
local function isLive(head) return sub(head, 1, 13) > now13 end

local function sizeIn(head) return tonumber(sub(head, 15, 22)) or 0 end

local function ownerIn(head) return sub(head, 41, -2) end

-- All that sessions take, beside what Redis takes for it. key: Z
local function growSessions(key, by)
  if by == 0 then return end
  if call('INCRBY', key, by) == 0 then call('DEL', key) end
  if bounded then bytesSince = bytesSince + by end
end

-- `session claim` of who has locked it.
local function lockerOf(id) return isThere('G') and call('HGET', P .. 'G', id) end

local function lockFor(sid, id, ms)
  local claim, ends = claimFor(sid, id), now + ms
  call('HSET', P .. 'G', id, sid .. ' ' .. claim)
  call('SETRANGE', P .. 'h' .. id, 13, '!')
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

-- What is larger than this goes past here (record.ts).
local LARGEST_INLINE = 2048

-- What is in it; '' if it is large, and is to be read around.
local function smallIn(id) return call('STRLEN', P .. 'h' .. id) <= LARGEST_INLINE and call('GET', P .. 'h' .. id) or '' end

local function dropLock(id, locker)
  local claim = sub(locker, 24)
  call('HDEL', P .. 'G', id)
  if call('EXISTS', P .. 'h' .. id) == 1 then call('SETRANGE', P .. 'h' .. id, 13, ' ') end
  call('ZREM', P .. 'L', claim)
  local sid = sub(locker, 1, 22)
  call('SREM', P .. 'c' .. sid, claim)
  -- It may have been given by this same call.
  local noted = claims[sid] or {}
  for j = #noted, 1, -1 do if noted[j] == claim then table.remove(noted, j) end end
  if #noted == 0 then claims[sid] = nil end
end

-- It stays so: nothing is left of it, those who wait for its lock hear that it is gone, and whoever asked for it hears why.
local function endSession(id, reason)
  local head = wholeHeadOf(id)
  local owner = ownerIn(head)
  call('ZREM', P .. 'Y', id)
  call('UNLINK', P .. 'h' .. id)
  if owner ~= '' then call('SREM', P .. 'y' .. owner, id) end
  if head ~= '' then growSessions(P .. 'Z', -sizeIn(head)) end
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

-- Whoever waits for the lock has it now; of a session that has ended meanwhile they hear that it is gone.
local function unlockSession(claim)
  local id = idOf(claim)
  local locker = lockerOf(id)
  if not locker or sub(locker, 24) ~= claim then return end
  if not isLive(headOf(id)) then return endSession(id, 'expired') end
  dropLock(id, locker)
  local who, spec = nextInLine(id)
  if who then push(who.sid, who.delivery, lockFor(who.sid, id, spec.lockMs), smallIn(id)) end
end

LATER.unlockSession = unlockSession

-- Sessions whose leases have ended, and locks whose time is over.
local function endSessionsDue()
  local ended = call('ZRANGEBYSCORE', P .. 'Y', '-inf', now, 'LIMIT', 0, MOST_ENDED)
  for j = 1, #ended do
    local head = headOf(ended[j])
    if isLive(head) then
      call('ZADD', P .. 'Y', sub(head, 1, 13), ended[j])
    else
      endSession(ended[j], 'expired')
    end
  end
  local over = call('ZRANGEBYSCORE', P .. 'L', '-inf', now, 'LIMIT', 0, MOST_ENDED)
  for j = 1, #over do unlockSession(over[j]) end
end

-- v: what is in it, '' if it is large and is to be read around. With a wait it is locked; if it is already, by another one, that wait stands in
-- line. id, wait or '', ms of the lock
function OPS.v(argv, i, answer)
  local id, wid = argv[i], argv[i + 1]
  if not isLive(headOf(id)) then
    answer('n')
  elseif wid == '' then
    answer('p', '', call('GET', P .. 'h' .. id))
  elseif lockerOf(id) then
    register(SID, wid, { mode = 't', kind = LOCK_KIND, indexed = { 'id=' .. id }, verified = {}, tx = '', lockMs = tonumber(argv[i + 2]) }, 1)
    answer('w')
  else
    answer('p', lockFor(SID, id, tonumber(argv[i + 2])), smallIn(id))
  end
  return i + 3
end

-- When such a lease ends that begins now, as 13 digits. `head`: as it was.
local function leaseEnd(id, lease, head)
  local ends = now + lease
  if lease < 0 or ends > 9999999999999 then ends = 9999999999999 end
  local ends13 = format('%013.0f', ends)
  if head == '' or ends13 < sub(head, 1, 13) then
    call('ZADD', P .. 'Y', ends13, id)
    dueAt(ends)
  end
  return ends13
end

-- The attributes that begin there, in order: name, version, where they begin and end; the size of name and text.
local function attributes(all, from, last)
  return function()
    if from > last then return end
    local begins, line = from, find(all, '\n', from, true)
    local name, version, length
    if line then name, version, length = sub(all, from, line - 1):match('^(.*)\t(.*)\t(%d+)$') end
    -- What somebody else has written there is none.
    if not name then return end
    from = line + length + 1
    return name, version, begins, from - 1, #name + length
  end
end

-- What there is, with what is changed put in the place of what it was; and its size. nil: what it stands on has been changed, by another save
-- than this one, whose answer may have been lost.
local function merged(key, changes, removed, expected, own)
  local all = call('GET', key)
  local places, parts, sizes, versions = {}, {}, {}, {}
  local function put(name, part, size)
    local j = places[name] or #parts + 1
    places[name], parts[j], sizes[j] = j, part, size
  end
  for name, version, from, last, size in attributes(all, (find(all, '\n', 1, true) or #all) + 1, #all) do
    put(name, sub(all, from, last), size)
    versions[name] = version
  end
  for name, version in gmatch(expected, '(%S*) (%S+)\n') do
    local is = versions[name] or '-'
    if is ~= version and is ~= own then return end
  end
  for name in gmatch(removed, '(%S*)\n') do if places[name] then put(name, '', 0) end end
  for name, _, from, last, size in attributes(changes, 1, #changes) do put(name, sub(changes, from, last), size) end
  local size = 0
  for j = 1, #sizes do size = size + sizes[j] end
  return concat(parts), size
end

-- P: it is changed, or made if it is said to be new. id, lease in ms (-1: for ever), lock or '', most bytes; the version on which all that is here
-- stands (+: it is new; '': not all is here), how many bytes are its first line, how many what is changed; names that go, a line each; the
-- versions that names must have, a line each (-: there is none); u if its owner is as it was; all of it, what is changed first. g says that
-- it was put together with what was there, or may have been.
function OPS.P(argv, i, answer)
  local id, claim, base, contents = argv[i], argv[i + 2], argv[i + 4], argv[i + 10]
  local key, head, isNew, rest = P .. 'h' .. id, headOf(id), base == '+', i + 11
  local is = isLive(head)
  if not is and head ~= '' then endSession(id, 'expired') end
  -- Saved already, by a call whose answer was lost.
  if is and sub(head, 24, 39) == sub(contents, 24, 39) then
    answer('g')
    return rest
  end
  if not is and not isNew then
    answer('n')
    return rest
  end
  local locker = lockerOf(id)
  if claim ~= '' and not (locker and sub(locker, 24) == claim) then
    answer('e', 'CLAIM_LOST')
    return rest
  elseif claim == '' and locker then
    answer('e', 'SESSION_LOCKED')
    return rest
  end
  local isKnown = isNew or sub(head, 24, 39) == base
  local size, before = sizeIn(contents), is and sizeIn(head) or 0
  if not isKnown then
    local first, changed = tonumber(argv[i + 5]), tonumber(argv[i + 6])
    local all
    all, size = merged(key, sub(contents, first + 1, first + changed), argv[i + 7], argv[i + 8], sub(contents, 24, 39))
    if not all then
      answer('e', 'SESSION_CONFLICT')
      return rest
    end
    local owner = argv[i + 9] == 'u' and ownerIn(wholeHeadOf(id)) or sub(contents, 41, first - 1)
    contents = sub(contents, 1, 14) .. format('%08d', size) .. sub(contents, 23, 40) .. owner .. '\n' .. all
  end
  local growth = size - before
  local refused = growth > 0 and size > tonumber(argv[i + 3]) and 'SESSION_TOO_LARGE'
  if not refused and (growth > 0 or not is) and (isFull() or bounded and isTooMuch(is and 0 or 1, growth)) then refused = 'SPACE_FULL' end
  if refused then
    answer('e', refused)
    return rest
  end
  if argv[i + 9] ~= 'u' then
    local owned, owner = is and ownerIn(wholeHeadOf(id)) or '', sub(contents, 41, find(contents, '\n', 41, true) - 1)
    if owned ~= '' then call('SREM', P .. 'y' .. owned, id) end
    if owner ~= '' then call('SADD', P .. 'y' .. owner, id) end
  end
  call('SET', key, contents)
  call('SETRANGE', key, 0, leaseEnd(id, tonumber(argv[i + 1]), is and head or ''))
  growSessions(P .. 'Z', growth)
  if claim ~= '' then unlockSession(claim) end
  answer(isKnown and 'k' or 'g')
  return rest
end

-- T: its lease ends so long from now, and nothing else changes. id, lease in ms (-1: for ever), lock or ''
function OPS.T(argv, i, answer)
  local id = argv[i]
  local head = headOf(id)
  local is = isLive(head)
  if is then call('SETRANGE', P .. 'h' .. id, 0, leaseEnd(id, tonumber(argv[i + 1]), head)) end
  if argv[i + 2] ~= '' then unlockSession(argv[i + 2]) end
  answer(is and 'k' or 'n')
  return i + 3
end

-- D: it is gone, and stays so. id
function OPS.D(argv, i, answer)
  local head = headOf(argv[i])
  local is = isLive(head)
  if head ~= '' then endSession(argv[i], is and 'destroyed' or 'expired') end
  answer(is and 'k' or 'n')
  return i + 1
end

-- Q: a lock is given back. lock
function OPS.Q(argv, i, answer)
  unlockSession(argv[i])
  answer('k')
  return i + 1
end

-- Y: how many there are. @ and an owner, or '' for all
function OPS.Y(argv, i, answer)
  local owner = argv[i]
  answer('m', textOf(owner == '' and call('ZCOUNT', P .. 'Y', '(' .. format('%.0f', now), '+inf') or call('SCARD', P .. 'y' .. sub(owner, 2))))
  return i + 1
end

-- X: a page of their ids, with a space between. @ and an owner, or '' for all; where the last page ended, at first 0
function OPS.X(argv, i, answer)
  local owner, ids = argv[i], {}
  local page
  if owner == '' then
    page = call('ZSCAN', P .. 'Y', argv[i + 1], 'COUNT', 100)
    for j = 1, #page[2], 2 do if isLive(headOf(page[2][j])) then ids[#ids + 1] = page[2][j] end end
  else
    page = call('SSCAN', P .. 'y' .. sub(owner, 2), argv[i + 1], 'COUNT', 100)
    for j = 1, #page[2] do if isLive(headOf(page[2][j])) then ids[#ids + 1] = page[2][j] end end
  end
  answer('p', page[1], concat(ids, ' '))
  return i + 2
end
