-- Searches: the best matches of a template, by the smallest index that holds all of them, in slices of bounded size.
-- shares: indexFor, searchRoot, search, keepBest, searchVisible, hasConflict

-- Most candidates that a search looks at in one call; the client continues from where the search stopped.
local MOST_CANDIDATES = 200

-- Returns whether all writers under a root index such a token (OPS.announceKind). Structures are never indexed by
-- default; tokens of several fields together only if all writers name them.
local function isIndexedEverywhere(root, token)
  local policies = facts.policies or {}
  local policy = policies[root]
  if policy == nil then
    -- The framework's own kinds index every single value, and are not listed.
    policy = find(root, KIND.own, 1, true) ~= 1 and call('HGET', keys.kinds, root) or 's*'
    policies[root], facts.policies = policy, policies
  end
  local at = find(token, '=', 1, true)
  local first = byte(token, at + 1)
  if byte(policy) == 115 and (first == SIGN_BYTES.structure or first == SIGN_BYTES.hash) then return false end
  return sub(policy, 2) == '*' or find(policy, ':' .. sub(token, 1, at - 1) .. ':', 1, true) ~= nil
end

-- Returns the smallest index that holds all matches, and the tokens that remain to be verified. `isRead`: use the
-- indexes of entries that transactions have read, instead of free entries.
local function indexFor(spec, root, isRead)
  local keyOfKind, keyOfToken = freeKey, freeWithKey
  if isRead then keyOfKind, keyOfToken = readKey, readWithKey end
  local best, size, at = keyOfKind(spec.kind == KIND.any and root or spec.kind), nil, 0
  local n = #spec.indexed
  for j = 1, n + (spec.compound and #spec.compound or 0) do
    local token = j > n and spec.compound[j - n] or spec.indexed[j]
    if isIndexedEverywhere(root, token) then
      local key = keyOfToken(root .. '|' .. token)
      local held = n == 1 and not spec.compound and 0 or call('ZCARD', key)
      if not size or held < size then best, size, at = key, held, j end
      if held == 0 then break end
    end
  end
  local needles = {}
  if at > 0 and spec.kind ~= KIND.any and spec.kind ~= root then needles[1] = '|' .. SIGN.kind .. spec.kind .. '|' end
  for j = 1, #spec.indexed do if j ~= at then needles[#needles + 1] = '|' .. spec.indexed[j] .. '|' end end
  for j = 1, #spec.verified do needles[#needles + 1] = '|' .. spec.verified[j] .. '|' end
  return best, needles
end

local DEAD_LETTER = '|' .. SIGN.kind .. KIND.deadLetter .. '|'

-- Returns whether an entry was set aside because its signature was damaged: its indexes were not known then.
local function isAside(record, root)
  return sub(record, RECORD.signature.from, RECORD.signature.from + #DEAD_LETTER - 1) == DEAD_LETTER and root ~= KIND.deadLetter
end

-- Returns whether the signature of a record has all of these.
local function hasAll(record, needles)
  local n = #needles
  if n == 0 then return true end
  local stop = find(record, '\n', RECORD.signature.from, true)
  for j = 1, n do
    local at = find(record, needles[j], RECORD.signature.from, true)
    if not at or at > stop then return false end
  end
  return true
end

-- Returns the ticket that a template names, as a search returns its matches.
local function searchTicket(spec)
  local id = spec.indexed[1] and sub(spec.indexed[1], #SHARED.ticketToken + 1)
  local record = id and recordOf(id)
  if record and hasExpired(record) then
    remove(id, record)
    record = nil
  end
  return record and hasAll(record, { '|' .. SIGN.kind .. spec.kind .. '|' }) and { { id, record } } or {}
end

-- Returns up to `most` matches under one root in order, each { id, record }, and where to continue if the bound on
-- candidates was met. `accept` may refuse a match.
local function searchRoot(spec, root, most, after, isRead, accept)
  if root == KIND.ticket then return isRead and {} or searchTicket(spec) end
  local key, needles = indexFor(spec, root, isRead)
  local hits, seen, size = {}, 0, most
  while true do
    local ids = call('ZRANGEBYSCORE', key, after and '(' .. after or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, size)
    if #ids == 0 then return hits end
    local names = {}
    for j = 1, #ids, 2 do names[#names + 1] = ids[j] end
    local records = call('HMGET', keys.entries, unpack_(names))
    for j = 1, #names do
      local record = records[j]
      if not record or not isSound(record) then
        call('ZREM', key, names[j])
        if record or counters.loaded then LATER.setAside(names[j], record or '') end
      elseif isAside(record, root) then
        call('ZREM', key, names[j])
      elseif hasExpired(record) or (isRequest(record) and not isPresent(requesterOf(record))) then
        remove(names[j], record)
      elseif hasAll(record, needles) and (not accept or accept(names[j], record)) then
        hits[#hits + 1] = { names[j], record }
        if #hits == most then return hits end
      end
    end
    after = ids[#ids]
    seen = seen + #names
    if #names < size then return hits end
    if seen >= MOST_CANDIDATES then return hits, after end
    size = size * 4
    if size < 8 then size = 8 end
    if size > MOST_CANDIDATES - seen then size = MOST_CANDIDATES - seen end
  end
end

local function byPlace(a, b) return scoreOf(a[2]) < scoreOf(b[2]) end

-- Keeps the first `most` in order.
local function keepBest(hits, most)
  table.sort(hits, byPlace)
  for j = most + 1, #hits do hits[j] = nil end
end

-- Searches the free entries of any root. AnyEntry has no index, so the best of each root are combined. The client does
-- not continue such a search, so it is completed here; that is long only if a template of AnyEntry names fields that
-- not all writers index.
local function search(spec, most, after, accept)
  flushRecords()
  if spec.kind ~= KIND.any then return searchRoot(spec, spec.root, most, after, false, accept) end
  local all = {}
  local roots = call('HKEYS', keys.kinds)
  for j = 1, #roots do
    local hits, on
    repeat
      hits, on = searchRoot(spec, roots[j], most, on)
      for h = 1, #hits do all[#all + 1] = hits[h] end
    until not on or #hits == most
  end
  keepBest(all, most)
  return all
end

-- Adds entries under a root that transactions have read: for a read all, for a take those read by its own transaction
-- alone.
local function searchRead(spec, root, most, after, into)
  local function isSoleReader(id) return call('HGET', keys.readers, id) == ',' .. spec.tx .. ',' end
  local on = after
  local hits
  repeat
    hits, on = searchRoot(spec, root, most, on, true, spec.mode == 'take' and isSoleReader or nil)
    for h = 1, #hits do into[#into + 1] = hits[h] end
  until not on or #into >= most
end

-- Returns the needles for records that no index has led to.
local function needlesOf(spec)
  local needles = {}
  if spec.kind ~= KIND.any then needles[1] = '|' .. SIGN.kind .. spec.kind .. '|' end
  for j = 1, #spec.indexed do needles[#needles + 1] = '|' .. spec.indexed[j] .. '|' end
  for j = 1, #spec.verified do needles[#needles + 1] = '|' .. spec.verified[j] .. '|' end
  return needles
end

-- Adds entries that the find's transaction has written and not taken.
local function searchWritten(spec, most, after, into)
  local needles = needlesOf(spec)
  local ids = call('ZRANGEBYSCORE', writtenKey(spec.tx), after and '(' .. after or '-inf', '+inf')
  for j = 1, #ids do
    local record = recordOf(ids[j])
    if record and not hasExpired(record) and hasAll(record, needles) then
      into[#into + 1] = { ids[j], record }
      if #into >= most then return end
    end
  end
end

-- Returns the matches that a find may have: free entries; for a read those read by transactions; under a transaction
-- also those that it has written or read.
local function searchVisible(spec, most, after)
  local hits, on = search(spec, most, after)
  local more = {}
  if (spec.mode == 'read' or spec.tx ~= '') and exists(keys.readers) then
    local roots = spec.kind == KIND.any and call('HKEYS', keys.kinds) or { spec.root }
    for j = 1, #roots do
      local found = {}
      searchRead(spec, roots[j], most, after, found)
      for h = 1, #found do more[#more + 1] = found[h] end
    end
  end
  if spec.tx ~= '' and facts[writtenKey(spec.tx)] ~= false then
    local found = {}
    searchWritten(spec, most, after, found)
    for h = 1, #found do more[#more + 1] = found[h] end
  end
  if #more == 0 then return hits, on end
  -- A match beyond the place that the search has reached is returned when the search is continued.
  for h = 1, #more do if not on or scoreOf(more[h][2]) <= on then hits[#hits + 1] = more[h] end end
  keepBest(hits, most)
  return hits, #hits < most and on or nil
end

-- Returns the ids of entries that a transaction has taken or written: in no index, and possibly free when the
-- transaction ends.
local function hiddenBy(transaction)
  local ids, written = takenUnder(transaction), call('ZRANGE', writtenKey(transaction), 0, -1)
  for j = 1, #written do ids[#ids + 1] = written[j] end
  return ids
end

-- Returns whether AnyEntry matches.
local function matchesAny(record)
  local kinds = indexInfo(signatureOf(record)).kinds
  return kinds[#kinds] == KIND.any
end

-- Returns whether another transaction holds a match.
local function hasConflict(spec)
  flushRecords()
  local needles = needlesOf(spec)
  local names = exists(keys.transactions) and openTransactions() or {}
  for n = 1, #names do
    local ids = names[n] ~= spec.tx and hiddenBy(names[n]) or {}
    for j = 1, #ids do
      local record = recordOf(ids[j])
      if record and not hasExpired(record) and hasAll(record, needles)
        and (spec.kind ~= KIND.any or matchesAny(record)) then
        return true
      end
    end
  end
  if spec.mode ~= 'take' or not exists(keys.readers) then return false end
  local roots = spec.kind == KIND.any and call('HKEYS', keys.kinds) or { spec.root }
  local function isReadByOthers(id) return call('HGET', keys.readers, id) ~= ',' .. spec.tx .. ',' end
  for r = 1, #roots do
    local hits, on
    repeat
      hits, on = searchRoot(spec, roots[r], 1, on, true, isReadByOthers)
      if hits[1] then return true end
    until not on
  end
  return false
end
