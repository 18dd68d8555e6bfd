-- Session entries: users' sessions, loaded, saved, locked, counted and listed.
--
-- A session entry is one string: a first line (SESSION_RECORD in protocol.ts), then for each attribute a line
-- `checksum<tab>name<tab>version<tab>length` and its text. If a name occurs twice, the later one counts. Processes read
-- many entries by one MGET, past these functions, which would copy every byte more than once. A save writes the bytes as
-- they came (session-save.lua), unless two processes have changed a session at once.
--
-- The sums of the first line are verified here. The checksum of an attribute is verified by the process that loads it; a
-- merge keeps it with the attribute, so damage is not hidden.
--
-- In the set of sessions the score of an entry is the end of its lease, or the end that it had before a renewal: so
-- counting reads no entry, and a renewal is not noted there until it matters. The id of an entry begins with $. A lock
-- is a claim in the set of its holder's claims, and ends with the holder. Waits for a lock are queued like takes.
-- shares: growSessions, endSessionsDue

-- Most ends in one call beside its operations: a millisecond.
local MOST_ENDED = 256
-- The first line up to the owner.
local FIXED = SESSION_RECORD.owner.from - 1

-- Returns the beginning of a first line. `ends`: the end of the lease, 13 digits; `sign`: ! if the entry is locked.
local function leaseHead(ends, sign)
  return ends .. sign .. DIGITS[(tonumber(ends) % SHARED.prime * 2 + byte(sign) * 11) % SHARED.prime]
end

-- Returns the sum of size and version, as they are in a first line, and of the owner.
local function sumOfHead(sizeAndVersion, owner)
  local text, sum = sizeAndVersion .. ' ' .. owner, 0
  for i = 1, #text do sum = (sum * 31 + byte(text, i)) % SHARED.prime end
  return DIGITS[sum]
end

local function isLeaseSound(head)
  local ends, sign = head:match('^(%d+)([ !])%d%d%d')
  return ends ~= nil and #ends == SESSION_RECORD.expiresAt.to
    and leaseHead(ends, sign) == sub(head, SESSION_RECORD.expiresAt.from, SESSION_RECORD.leaseSum.to)
end

-- Returns whether the sum of a first line agrees with size and version.
local function isSumOf(head, sizeAndVersion)
  return sub(head, SESSION_RECORD.version.to + 1, FIXED) == ' ' .. sumOfHead(sizeAndVersion, sub(head, SESSION_RECORD.owner.from, -2)) .. ' '
end

-- Returns whether a whole first line is sound.
local function isHeadSound(head)
  return isLeaseSound(head) and isSumOf(head, sub(head, SESSION_RECORD.size.from, SESSION_RECORD.version.to))
end

-- Returns the fixed part of the first line; '' if there is no entry. A damaged entry is removed.
local function headOf(id)
  local head = call('GETRANGE', sessionKey(id), 0, FIXED - 1)
  if head == '' or isLeaseSound(head) then return head end
  LATER.setSessionAside(id)
  return ''
end

-- Returns the first line, with its newline; '' if there is none.
local function firstLineOf(id)
  local head = call('GETRANGE', sessionKey(id), 0, 4095)
  return sub(head, 1, find(head, '\n', 1, true) or 0)
end

-- Returns the first line; '' if there is no entry. A damaged entry is removed.
local function wholeHeadOf(id)
  local head = firstLineOf(id)
  if isHeadSound(head) then return head end
  if call('EXISTS', sessionKey(id)) == 1 then LATER.setSessionAside(id) end
  return ''
end

-- Compares times as text: both have 13 digits.
local function isLive(head) return sub(head, SESSION_RECORD.expiresAt.from, SESSION_RECORD.expiresAt.to) > nowText end

local function sizeIn(head) return tonumber(sub(head, SESSION_RECORD.size.from, SESSION_RECORD.size.to)) or 0 end

local function versionIn(head) return sub(head, SESSION_RECORD.version.from, SESSION_RECORD.version.to) end

local function ownerIn(head) return sub(head, SESSION_RECORD.owner.from, -2) end

LATER.sessionLine = { leaseHead = leaseHead, sizeIn = sizeIn, ownerIn = ownerIn }

-- Adds to the bytes of all session entries. `key`: where they are counted.
local function growSessions(key, by)
  if by == 0 then return end
  if call('INCRBY', key, by) == 0 then call('DEL', key) end
  growBytes(by)
end

-- Returns the holder of the lock on an entry, as `presence claim`.
local function lockerOf(id) return exists(keys.lockers) and call('HGET', keys.lockers, id) end

local function claimIn(locker) return sub(locker, SHARED.presenceLength + 2) end

local function markLocked(id, sign)
  local head = call('GETRANGE', sessionKey(id), 0, FIXED - 1)
  if isLeaseSound(head) then
    call('SETRANGE', sessionKey(id), 0, leaseHead(sub(head, SESSION_RECORD.expiresAt.from, SESSION_RECORD.expiresAt.to), sign))
  end
end

local function lockFor(presence, id, ms)
  local claim, ends = claimFor(presence, id), now + ms
  call('HSET', keys.lockers, id, presence .. ' ' .. claim)
  markLocked(id, SIGN.started)
  call('ZADD', keys.locks, ends, claim)
  facts[keys.lockers] = true
  dueAt(ends)
  return claim
end

-- Takes the next waiter out of the queue for a lock. Returns the parsed waiter and its spec, or nil.
local function nextInQueue(id)
  local waiter = pickTaker(indexInfo('|' .. SIGN.kind .. KIND.sessionLock .. '|id=' .. id .. '|;|'))
  if not waiter then return end
  local who = parsedWaiter(waiter)
  local spec = specOf(who.presence, who.wait)
  unregister(who.presence, who.wait)
  return who, spec
end

-- Returns the contents of an entry; '' if it is large, and is to be read past these functions.
local function smallIn(id)
  local key = sessionKey(id)
  return call('STRLEN', key) <= SHARED.largestInline and call('GET', key) or ''
end

local function dropLock(id, locker)
  local claim, presence = claimIn(locker), sub(locker, 1, SHARED.presenceLength)
  call('HDEL', keys.lockers, id)
  markLocked(id, ' ')
  call('ZREM', keys.locks, claim)
  call('SREM', keysOf(presence).claims, claim)
  -- The lock may have been granted in this same call.
  local noted = newClaims[presence] or {}
  for j = #noted, 1, -1 do if noted[j] == claim then table.remove(noted, j) end end
  if #noted == 0 then newClaims[presence] = nil end
end

-- Iterates over attributes in order: name, version, where they begin and end, the size of name and text.
local function attributes(all, from, last)
  return function()
    if from > last then return end
    local begins, newline = from, find(all, '\n', from, true)
    local name, version, length
    if newline then name, version, length = sub(all, from, newline - 1):match('^%x+\t(.*)\t(.*)\t(%d+)$') end
    -- Not written by a session store.
    if not name then return end
    from = newline + length + 1
    return name, version, begins, from - 1, #name + length
  end
end

-- Returns the size of all attributes, as they are stored, and where the last one ends.
local function measured(all)
  local sizes, size, stop = {}, 0, find(all, '\n', 1, true) or #all
  for name, _, _, last, own in attributes(all, stop + 1, #all) do
    size = size + own - (sizes[name] or 0)
    sizes[name], stop = own, last
  end
  return size, stop
end

-- Returns the size of an entry that may be damaged: that of the attributes if the sum of the first line is for it, else
-- what the first line says.
local function sizeOfEntry(id, head)
  if isHeadSound(head) then return sizeIn(head) end
  local all = call('GET', sessionKey(id)) or ''
  local size = measured(all)
  return isSumOf(head, format('%08d', size) .. sub(head, SESSION_RECORD.size.to + 1, SESSION_RECORD.version.to)) and size or sizeIn(all)
end

-- Removes an entry for good. Waits for its lock are told that it is gone, registrations are told the reason.
local function endSession(id, reason)
  local head = firstLineOf(id)
  local owner = ownerIn(head)
  growSessions(keys.sessionBytes, -sizeOfEntry(id, head))
  call('ZREM', keys.sessions, id)
  call('UNLINK', sessionKey(id))
  if owner ~= '' then call('SREM', ownedKey(owner), id) end
  local locker = lockerOf(id)
  if locker then
    dropLock(id, locker)
    for who in nextInQueue, id do push(who.presence, PUSH.missed .. who.wait .. '\t', '', '') end
  end
  local signature = '|' .. SIGN.kind .. KIND.session .. (owner ~= '' and '|owner=' .. owner or '') .. '|;|'
  local info = indexInfo(signature)
  if #queuesFor(info, 'notify') > 0 then
    local start = SHARED.never .. nowText .. '0' .. scoreText(SHARED.scoreZero) .. RECORD_TYPE.entry .. PLACE.inline
    announce(info, id, madeRecord(start, signature, reason .. ' ' .. owner), TRANSITION.ended)
  end
end

-- Removes an entry whose lease has ended, unless it was removed as damaged.
local function expire(id)
  if call('ZSCORE', keys.sessions, id) then endSession(id, 'expired') end
end

-- Removes a damaged entry, and reports it. Its contents are a user's, and are not kept. The id of the dead letter is not
-- that of a session entry: a claim on it would be a lock.
function LATER.setSessionAside(id)
  endSession(id, 'destroyed')
  LATER.setAside('session-' .. sub(id, 2), '')
end

-- Ends a lock, and gives it to the next waiter in the queue.
local function unlockSession(claim)
  local id = idOf(claim)
  local locker = lockerOf(id)
  if not locker or claimIn(locker) ~= claim then return end
  if not isLive(headOf(id)) then return expire(id) end
  dropLock(id, locker)
  local who, spec = nextInQueue(id)
  if who then push(who.presence, who.delivery, lockFor(who.presence, id, spec.lockMs), smallIn(id)) end
end

LATER.unlockSession = unlockSession

-- Ends sessions whose leases have ended, and locks whose time is over.
local function endSessionsDue()
  local ended = call('ZRANGEBYSCORE', keys.sessions, '-inf', now, 'LIMIT', 0, MOST_ENDED)
  for j = 1, #ended do
    local head = headOf(ended[j])
    if isLive(head) then
      call('ZADD', keys.sessions, sub(head, SESSION_RECORD.expiresAt.from, SESSION_RECORD.expiresAt.to), ended[j])
    else
      expire(ended[j])
    end
  end
  local over = call('ZRANGEBYSCORE', keys.locks, '-inf', now, 'LIMIT', 0, MOST_ENDED)
  for j = 1, #over do unlockSession(over[j]) end
end

-- Replies the contents of an entry, '' if it is large. With a wait the entry is locked; if it is locked already, the
-- wait goes into the queue.
function OPS.loadSession(id, wait, lockMs)
  if not isLive(headOf(id)) then
    reply(REPLY.none)
  elseif wait == '' then
    reply(REPLY.session, '', call('GET', sessionKey(id)))
  elseif lockerOf(id) then
    local spec = { mode = 'take', kind = KIND.sessionLock, indexed = { 'id=' .. id }, verified = {}, tx = '', lockMs = tonumber(lockMs) }
    register(self, wait, spec, 1)
    reply(REPLY.waiting)
  else
    reply(REPLY.session, lockFor(self, id, tonumber(lockMs)), smallIn(id))
  end
end

-- Returns the end of a lease that begins now, as 13 digits, and notes it. `head`: the first line before the change.
local function sessionLeaseEnd(id, leaseMs, head)
  local expiresAt, ends = leaseEndText(leaseMs)
  if head == '' or ends < sub(head, SESSION_RECORD.expiresAt.from, SESSION_RECORD.expiresAt.to) then
    call('ZADD', keys.sessions, ends, id)
    dueAt(expiresAt)
  end
  return ends
end

-- Returns the attributes of an entry with `changes` applied, and their size. Returns nil if an attribute has neither
-- its expected version nor that of this save, whose reply may have been lost: another save has changed the attribute.
local function merged(all, changes, removed, expected, ownVersion)
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
    local actual = versions[name] or '-'
    if actual ~= version and actual ~= ownVersion then return end
  end
  for name in gmatch(removed, '(%S*)\n') do if places[name] then put(name, '', 0) end end
  for name, _, from, last, size in attributes(changes, 1, #changes) do put(name, sub(changes, from, last), size) end
  local size = 0
  for j = 1, #sizes do size = size + sizes[j] end
  return concat(parts), size
end

-- Returns the error code of a save that does not have the lock, or nil.
local function lockRefusal(id, lock)
  local locker = lockerOf(id)
  if lock ~= '' and not (locker and claimIn(locker) == lock) then return 'CLAIM_LOST' end
  if lock == '' and locker then return 'SESSION_LOCKED' end
end

-- `head`: the first line before the change.
local function changeOwner(id, head, contents)
  local before = head ~= '' and ownerIn(head) or ''
  local after = sub(contents, SESSION_RECORD.owner.from, find(contents, '\n', SESSION_RECORD.owner.from, true) - 1)
  if before ~= '' then call('SREM', ownedKey(before), id) end
  if after ~= '' then call('SADD', ownedKey(after), id) end
end

-- Changes an entry, or makes it. `base`: the version on which `contents` are based (+: the entry is new; '': they are
-- not the whole entry). `headLength`, `changedLength`: bytes of the first line in `contents`, and of the changed
-- attributes behind it. `removed`: names, a line each. `expected`: the versions that attributes must have, a line each
-- (-: absent). `owner`: u if the owner does not change. Replies `merged` if the saved entry was merged with the stored
-- one, or may have been.
function OPS.saveSession(id, leaseMs, lock, maxBytes, base, headLength, changedLength, removed, expected, owner, contents)
  local head, key, isNew = wholeHeadOf(id), sessionKey(id), base == '+'
  local live = isLive(head)
  if not live and head ~= '' then endSession(id, 'expired') end
  -- Saved already, by a call whose reply was lost.
  if live and versionIn(head) == versionIn(contents) then return reply(REPLY.merged) end
  if not live and not isNew then return reply(REPLY.none) end
  local refused = lockRefusal(id, lock)
  if refused then return reply(REPLY.failed, refused) end
  local isKnown = isNew or versionIn(head) == base
  local size, before = sizeIn(contents), live and sizeIn(head) or 0
  if not isKnown then
    local first, all = tonumber(headLength), call('GET', key)
    local stored, last = measured(all)
    if stored ~= before or last ~= #all then
      LATER.setSessionAside(id)
      return reply(REPLY.none)
    end
    all, size = merged(all, sub(contents, first + 1, first + tonumber(changedLength)), removed, expected, versionIn(contents))
    if not all then return reply(REPLY.failed, 'SESSION_CONFLICT') end
    local ownerText = owner == 'u' and ownerIn(head) or sub(contents, SESSION_RECORD.owner.from, first - 1)
    local sizeAndVersion = format('%08d', size) .. sub(contents, SESSION_RECORD.size.to + 1, SESSION_RECORD.version.to)
    contents = sub(contents, 1, SESSION_RECORD.leaseSum.to) .. sizeAndVersion .. ' ' .. sumOfHead(sizeAndVersion, ownerText) .. ' '
      .. ownerText .. '\n' .. all
  end
  local growth = size - before
  if growth > 0 and size > tonumber(maxBytes) then return reply(REPLY.failed, 'SESSION_TOO_LARGE') end
  if (growth > 0 or not live) and (isFull() or bounded and isTooMuch(live and 0 or 1, growth)) then
    return reply(REPLY.failed, 'SPACE_FULL')
  end
  if owner ~= 'u' then changeOwner(id, live and head or '', contents) end
  call('SET', key, contents)
  call('SETRANGE', key, 0, leaseHead(sessionLeaseEnd(id, tonumber(leaseMs), live and head or ''), lock ~= '' and SIGN.started or ' '))
  growSessions(keys.sessionBytes, growth)
  if lock ~= '' then unlockSession(lock) end
  reply(isKnown and REPLY.done or REPLY.merged)
end

function OPS.touchSession(id, leaseMs, lock)
  local head = headOf(id)
  local live = isLive(head)
  if live then
    local sign = sub(head, SESSION_RECORD.locked.from, SESSION_RECORD.locked.to)
    call('SETRANGE', sessionKey(id), 0, leaseHead(sessionLeaseEnd(id, tonumber(leaseMs), head), sign))
  end
  if lock ~= '' then unlockSession(lock) end
  reply(live and REPLY.done or REPLY.none)
end

function OPS.destroySession(id)
  local head = headOf(id)
  local live = isLive(head)
  if head ~= '' then endSession(id, live and 'destroyed' or 'expired') end
  reply(live and REPLY.done or REPLY.none)
end

-- `digest`: the SHA-1 of what the process has found to be damaged, from the size on: locks and renewals do not count.
function OPS.setSessionAside(id, digest)
  local all = call('GET', sessionKey(id))
  local isSame = all and redis.sha1hex(sub(all, SESSION_RECORD.size.from)) == digest
  if isSame then LATER.setSessionAside(id) end
  reply(isSame and REPLY.done or REPLY.none)
end

function OPS.unlockSession(lock)
  unlockSession(lock)
  reply(REPLY.done)
end

-- `owner`: @ and an owner, or '' for all.
function OPS.countSessions(owner)
  if owner == '' then return reply(REPLY.number, textOf(call('ZCOUNT', keys.sessions, '(' .. format('%.0f', now), '+inf'))) end
  reply(REPLY.number, textOf(call('SCARD', ownedKey(sub(owner, 2)))))
end

-- Replies a page of ids, separated by spaces. `after`: the cursor of the last page, at first 0.
function OPS.listSessions(owner, after)
  local ids, step = {}, 1
  local page
  if owner == '' then
    page, step = call('ZSCAN', keys.sessions, after, 'COUNT', 100), 2
  else
    page = call('SSCAN', ownedKey(sub(owner, 2)), after, 'COUNT', 100)
  end
  for j = 1, #page[2], step do
    local head = headOf(page[2][j])
    if isLive(head) then
      ids[#ids + 1] = page[2][j]
    elseif head == '' and owner ~= '' then
      -- The owner of a damaged entry is not known.
      call('SREM', ownedKey(sub(owner, 2)), page[2][j])
    end
  end
  reply(REPLY.page, page[1], concat(ids, ' '))
end
