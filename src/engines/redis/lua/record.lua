-- Records: an entry as it stands in the hash of entries, and the index keys that lead to it.
--
--   1-13  when its lease ends, ms on the lease clock; all nines: never
--  14-26  when it was written
--  27     how often a holder has died holding it
--  28-43  its score: priority and order of writing, its place for as long as it lives
--  44     e entry, q request that may run again, Q request that may not once it was started, s one that is read bit by bit: not either,
--         but whoever wrote it may write it again
--  45     . the body follows, @ the body stands under a key of its own
--  46-67  (requests only) the session that waits for the outcome
--  68     (requests only) after so many deliveries without completion it goes to the dead letters
--  then   |@Kind|@Parent|field=token|;|field=token|  and a newline: what templates are compared with; after ; nothing is indexed
--  then   the body
-- shares: isRequest, isStreamed, isOnce, isSuspect, isLarge, replyTo, signatureOf, expired, scoreOf, sig, isAnybodys
-- shares: bucket, formOf, alive, live, locksOf, unread, letGo, countBody, uncount, dropBody, countTicket
-- shares: uncountTicket, remove

local function isRequest(rec) return byte(rec, 44) ~= 101 end

local function isStreamed(rec) return byte(rec, 44) == 115 end

local function isOnce(rec) return byte(rec, 44) == 81 or isStreamed(rec) end

-- A request whose holder died may be why. Nobody can tell it from those that were held with it, so a process is given one such at a time:
-- then only what kills on its own is counted again.
local function isSuspect(rec) return byte(rec, 27) ~= 48 and isRequest(rec) end

local function isLarge(rec) return byte(rec, 45) == 64 end

local function replyTo(rec) return sub(rec, 46, 67) end

local function signatureOf(rec)
  local from = isRequest(rec) and 69 or 46
  return sub(rec, from, find(rec, '\n', from, true) - 1)
end

-- Lease times are compared as text: both have 13 digits.
local function expired(rec) return sub(rec, 1, 13) <= now13 end

local function scoreOf(rec) return sub(rec, 28, 43) end

-- The ways to an entry of this signature: its kinds, its fields, and the keys of the indexes that hold it.
local function sig(S)
  local c = sigs[S]
  if c then return c end
  local kinds, tokens, index, fields, indexed = {}, {}, {}, {}, true
  for item in gmatch(S, '[^|]+') do
    if byte(item) == 64 then
      kinds[#kinds + 1] = sub(item, 2)
    elseif item == ';' then
      indexed = false
    else
      tokens[sub(item, 1, find(item, '=', 1, true) - 1)] = item
      if indexed then fields[#fields + 1] = item end
    end
  end
  local root = kinds[#kinds]
  for i = 1, #kinds do index[i] = P .. 'f@' .. kinds[i] end
  for i = 1, #fields do index[#index + 1] = P .. 'f=' .. root .. '|' .. fields[i] end
  -- AnyEntry matches every kind but the framework's own.
  if find(root, 'takespace.', 1, true) ~= 1 then kinds[#kinds + 1] = '*' end
  c = { kinds = kinds, tokens = tokens, index = index, text = S, root = root }
  sigs[S] = c
  return c
end

-- AnyEntry matches every kind but the framework's own.
local function isAnybodys(rec)
  local kinds = sig(signatureOf(rec)).kinds
  return kinds[#kinds] == '*'
end

-- When it is to be looked at: after 8 s, then each time it is twice as old, and when its lease ends. What was taken long ago must not
-- stay in the list of its day, and what stays long must not be looked at often. Answers the list of those of that second.
local function bucket(expires, writtenAt)
  local age = now - writtenAt
  local at = now + (age < 8000 and 8000 or age)
  local second = floor((expires < at and expires or at) / 1000) + 1
  local list = buckets[second]
  if not list then
    list = {}
    buckets[second] = list
  end
  return list
end

-- What many entries share, in one word of an operation (see write.lua); an empty one is the one before it.
local function formOf(argument)
  if argument == '' then return forms.last end
  local form = forms[argument]
  if not form then
    local lease, priority, head, S = argument:match('^(%S+) (%S+) ([^|]+)(.*)$')
    lease, priority = tonumber(lease), tonumber(priority)
    local expires = now + lease
    local ends
    if lease < 0 or expires >= 9999999999999 then
      expires, ends = 9999999999999, NEVER
    else
      ends = format('%013.0f', expires)
    end
    form = {
      dead = lease == 0, large = byte(head, 2) == 64, zero = SCORE_ZERO - priority * PRIORITY_STEP,
      bodyTtl = ends ~= NEVER and lease + BODY_GRACE_MS, before = ends .. now13 .. '0', after = head .. S .. '\n', c = sig(S), bucket = bucket(expires, now),
    }
    forms[argument] = form
  end
  forms.last = form
  return form
end

local function alive(sid)
  if sid == KEPT then return true end
  local known = living[sid]
  if known == nil then
    known = call('EXISTS', P .. 's' .. sid) == 1
    living[sid] = known
  end
  return known
end

-- Whether a transaction is under way; its lease ends exactly.
local function live(tid)
  local ends = txs[tid]
  if not ends then
    ends = tonumber(call('ZSCORE', P .. 'T', tid) or 0)
    txs[tid] = ends
  end
  return ends > now
end

-- The same indexes of what transactions have read: a read finds it there, a take does not.
local function locksOf(c)
  if not c.locks then
    c.locks = {}
    for i = 1, #c.index do c.locks[i] = P .. 'r' .. sub(c.index[i], #P + 2) end
  end
  return c.locks
end

-- No transaction has read it any longer; says whether one had.
local function unread(id, c)
  if call('HDEL', P .. 'R', id) == 0 then return false end
  local locks = locksOf(c)
  for i = 1, #locks do call('ZREM', locks[i], id) end
  return true
end

-- Out of what transactions have read; those who wait for the end of one are to be looked at.
local function letGo(id, c)
  unread(id, c)
  facts.recheck = true
end

-- The large bodies are counted as soon as somebody has bounded the space by bytes.
local function countBody(id)
  local bytes = call('STRLEN', P .. 'b' .. id)
  call('HSET', P .. 'B', id, bytes)
  meta.large = meta.large + bytes
  metaDirty = true
end

local function uncount(id)
  local bytes = call('HGET', P .. 'B', id)
  if not bytes then return end
  call('HDEL', P .. 'B', id)
  meta.large = meta.large - bytes
  metaDirty = true
end

local function dropBody(id)
  call('UNLINK', P .. 'b' .. id)
  if meta.large then uncount(id) end
end

-- The bytes that all tickets take, so that they can be bounded.
local function countTicket(bytes)
  local all = (meta.tickets or 0) + bytes
  meta.tickets = all > 0 and all or 0
  metaDirty = true
end

local function uncountTicket(id, rec) countTicket(-#rec - (isLarge(rec) and call('STRLEN', P .. 'b' .. id) or 0)) end

-- Out of the space altogether; says whether it was free, that is, in the indexes.
local function remove(id, rec)
  flushPuts()
  local c = sig(signatureOf(rec))
  local free = 0
  for i = 1, #c.index do free = call('ZREM', c.index[i], id) end
  if free == 0 then
    if isThere('T') then letGo(id, c) end
    if isThere('D') then call('HDEL', P .. 'D', id) end
  end
  call('HDEL', P .. 'e', id)
  if c.root == TICKET then uncountTicket(id, rec) end
  if isLarge(rec) then dropBody(id) end
  return free == 1
end
