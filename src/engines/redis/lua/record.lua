-- Records: an entry as it is stored (RECORD in protocol.ts), and the keys of its indexes.
-- shares: isRequest, isSuspect, isLarge, requesterOf, signatureOf, hasExpired, scoreOf, recordOf
-- shares: indexInfo, sweepLater, sharedHeader, isPresent, isOpen, unindex
-- shares: readIndexOf, endReads, freeFromReads, countBody, uncountBody, dropBody, countTicket, uncountTicket, remove
-- shares: leaseEndText

-- Signatures and headers that were parsed, for the calls that follow: contents and headers are in keys.parsed, because
-- they name keys of the space.
local MOST_TEXTS = 256

local function parsed()
  local found = keys.parsed
  if not found or found.count > MOST_TEXTS then
    found = { infos = {}, headers = {}, count = 0 }
    keys.parsed = found
  end
  return found
end

local function isRequest(record) return byte(record, RECORD.type.from) ~= RECORD_TYPE_BYTES.entry end

-- Returns whether two holders of this request have died (the digit is above '1'). The request may be the cause, but
-- cannot be told from others that were held with it. A process is therefore given one suspect at a time: then only a
-- request that kills by itself is counted again. One death is no suspicion: what a killed process held would be worked
-- off one by one.
local function isSuspect(record) return byte(record, RECORD.deaths.from) > 49 and isRequest(record) end

local function isLarge(record) return byte(record, RECORD.place.from) == PLACE_BYTES.reference end

local function requesterOf(record) return sub(record, RECORD.requester.from, RECORD.requester.to) end

local function signatureOf(record)
  local from = isRequest(record) and RECORD.requestSignature.from or RECORD.signature.from
  return sub(record, from, find(record, '\n', from, true) - 1)
end

-- Compares the ends of leases as text: both have 13 digits.
local function hasExpired(record) return sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to) <= nowText end

local function scoreOf(record) return sub(record, RECORD.score.from, RECORD.score.to) end

-- Returns the record of an entry; nil if there is none. A damaged one is set aside.
local function recordOf(id)
  local record = call('HGET', keys.entries, id)
  if not record then return nil end
  if isSound(record) then return record end
  LATER.setAside(id, record)
end

-- Returns the end of a lease of `leaseMs` that begins now (-1: never), as a number and as 13 digits.
local function leaseEndText(leaseMs)
  local ends = now + leaseMs
  if leaseMs < 0 or ends >= SHARED.neverMs then return SHARED.neverMs, SHARED.never end
  return ends, format('%013.0f', ends)
end

-- Returns the beginning of a value of a field whose token is a hash; nil if there is none.
local function beginningIn(signature, field)
  local _, last = find(signature, '|' .. field .. ':', 1, true)
  return last and sub(signature, last + 1, (find(signature, '|', last + 1, true) or 0) - 1)
end

-- Returns the contents of a signature: kinds, tokens by field, root, and the keys of the indexes of free entries.
local function indexInfo(signature)
  local all = parsed()
  local info = all.infos[signature]
  if info then return info end
  local kinds, tokens, index, fields, indexed = {}, {}, {}, {}, true
  local orders
  for part in gmatch(signature, '[^|]+') do
    if byte(part) == SIGN_BYTES.kind then
      kinds[#kinds + 1] = sub(part, 2)
    elseif part == ';' then
      indexed = false
    elseif byte(part) == SIGN_BYTES.order then
      orders = orders or {}
      orders[#orders + 1] = sub(part, 2)
    else
      tokens[sub(part, 1, (find(part, '=', 1, true) or 1) - 1)] = part
      if indexed then fields[#fields + 1] = part end
    end
  end
  local root = kinds[#kinds]
  -- A ticket is in no index: it is found by its id, and indexes would take more memory than its outcome.
  if root ~= KIND.ticket then
    for i = 1, #kinds do index[i] = freeKey(kinds[i]) end
    for i = 1, #fields do index[#index + 1] = freeWithKey(root .. '|' .. fields[i]) end
  end
  local ordered
  for i = 1, orders and #orders or 0 do
    local field = orders[i]
    local value = tokens[field] and LATER.order.valueIn(tokens[field], beginningIn(signature, field))
    if value then
      ordered = ordered or {}
      ordered[field] = { key = freeWithKey(root .. '|' .. field .. SIGN.order), value = value }
    end
  end
  info = { ordered = ordered, kinds = kinds, tokens = tokens, index = index, fields = fields, text = signature, root = root, ownKinds = #kinds }
  -- AnyEntry matches every kind except the framework's own.
  if find(root, KIND.own, 1, true) ~= 1 then kinds[#kinds + 1] = KIND.any end
  all.infos[signature], all.count = info, all.count + 1
  return info
end

-- Returns the list of the second in which the sweep looks at an entry: after 8 s, then each time its age has doubled,
-- and when its lease ends. So an entry that was taken leaves its list soon, and a long-lived entry is seldom looked
-- at.
local function sweepListFor(expiresAt, writtenAt)
  local age = now - writtenAt
  local at = now + (age < 8000 and 8000 or age)
  local second = floor((expiresAt < at and expiresAt or at) / 1000) + 1
  local list = sweepLists[second]
  if not list then
    list = {}
    sweepLists[second] = list
  end
  return list
end

local function sweepLater(id, expiresAt, writtenAt)
  local list = sweepListFor(expiresAt, writtenAt)
  list[#list + 1] = id
end

-- Parses the header that many entries share: lease in ms (-1: for ever), priority, then the record from its type to
-- its signature.
local function parsedHeader(text)
  local leaseMs, priority, head, signature = text:match('^(%S+) (%S+) ([^|]+)(.*)$')
  leaseMs = tonumber(leaseMs)
  local after = sub(head, 3) .. signature .. '\n'
  return {
    leaseMs = leaseMs,
    dead = leaseMs == 0,
    large = byte(head, 2) == PLACE_BYTES.reference,
    zero = SHARED.scoreZero - tonumber(priority) * SHARED.priorityStep,
    typeAndPlace = sub(head, 1, 2),
    requester = sub(head, 3),
    after = after,
    -- Bytes of a record beside its body.
    size = RECORD.headSum.to + #after,
    info = indexInfo(signature),
  }
end

local lastHeader

-- Returns a parsed header with what it is in this call. An empty text repeats the header before.
local function sharedHeader(text)
  if text == '' then return lastHeader end
  local all = parsed()
  local header = all.headers[text]
  if not header then
    header = parsedHeader(text)
    all.headers[text], all.count = header, all.count + 1
  end
  if header.usedIn ~= sweepLists then
    local expiresAt, ends = leaseEndText(header.leaseMs)
    local kind, place = byte(header.typeAndPlace, 1, 2)
    header.usedIn = sweepLists
    header.bodyTtl = ends ~= SHARED.never and header.leaseMs + SHARED.bodyGraceMs
    header.before = ends .. nowText .. '0'
    header.sum = headSum(expiresAt, now * 10, kind, place, header.requester)
    header.sweepList = sweepListFor(expiresAt, now)
  end
  lastHeader = header
  return header
end

local function isPresent(presence)
  if presence == SHARED.kept then return true end
  local known = facts[presence]
  if known == nil then
    known = memory.presences[presence]
    if not known then
      known = call('EXISTS', keysOf(presence).presence) == 1
      if known then remember('presences', presence, true) end
    end
    facts[presence] = known
  end
  return known
end

-- Returns whether a transaction is open; its lease ends exactly. One that is prepared has no lease, and is not open.
local function isOpen(transaction)
  local ends = facts[transaction]
  if not ends then
    ends = tonumber(call('ZSCORE', keys.transactions, transaction) or 0)
    facts[transaction] = ends
  end
  return ends > now and ends < SHARED.neverMs
end

-- Takes an entry out of the indexes of free entries. Returns whether it was there: it is in all of them, or in none. A
-- ticket has none, and is always free.
local function unindex(id, info, record)
  local index, found = info.index, 1
  for i = 1, #index do found = call('ZREM', index[i], id) end
  if info.ordered then LATER.order.takeOut(info, id, record) end
  return found == 1
end

-- Returns the keys of the indexes of entries that transactions have read: a read finds an entry there, a take does
-- not.
local function readIndexOf(info)
  local index = info.readIndex
  if not index then
    index = {}
    for i = 1, info.ownKinds do index[i] = readKey(info.kinds[i]) end
    for i = 1, #info.fields do index[#index + 1] = readWithKey(info.root .. '|' .. info.fields[i]) end
    info.readIndex = index
  end
  return index
end

-- Notes that no transaction has read an entry any longer. Returns whether one had.
local function endReads(id, info)
  if call('HDEL', keys.readers, id) == 0 then return false end
  local index = readIndexOf(info)
  for i = 1, #index do call('ZREM', index[i], id) end
  return true
end

-- Ends the reads of an entry that is gone, and has finds looked at that wait for a transaction to end.
local function freeFromReads(id, info)
  endReads(id, info)
  facts.recheck, facts.hidden = true, nil
end

-- Counts a large body. Counting begins when a process bounds the space by bytes.
local function countBody(id)
  local bytes = call('STRLEN', bodyKey(id))
  call('HSET', keys.bodyBytes, id, bytes)
  counters.large = counters.large + bytes
  countersChanged = true
end

local function uncountBody(id)
  local bytes = call('HGET', keys.bodyBytes, id)
  if not bytes then return end
  call('HDEL', keys.bodyBytes, id)
  counters.large = counters.large - bytes
  countersChanged = true
end

local function dropBody(id)
  call('UNLINK', bodyKey(id))
  if counters.large then uncountBody(id) end
end

-- Adds to the bytes of all tickets, and of those of an owner, which are bounded.
local function countTicket(bytes, owner)
  local all = (counters.tickets or 0) + bytes
  counters.tickets = all > 0 and all or 0
  countersChanged = true
  if owner and call('HINCRBY', keys.ticketBytes, owner, bytes) <= 0 then call('HDEL', keys.ticketBytes, owner) end
end

local function uncountTicket(id, record)
  counters.ticketCount = (counters.ticketCount or 1) - 1
  local body = isLarge(record) and call('STRLEN', bodyKey(id)) or 0
  countTicket(-#record - SHARED.besideOutcome - body, indexInfo(signatureOf(record)).tokens.owner)
end

-- Removes an entry from the space. Returns whether the entry was free, that is, in the indexes.
local function remove(id, record)
  flushRecords()
  local info = indexInfo(signatureOf(record))
  local free = unindex(id, info, record)
  if not free then
    if exists(keys.transactions) then freeFromReads(id, info) end
    if exists(keys.suspects) then call('HDEL', keys.suspects, id) end
  end
  call('HDEL', keys.entries, id)
  if info.root == KIND.ticket then uncountTicket(id, record) end
  if isLarge(record) then dropBody(id) end
  return free
end
