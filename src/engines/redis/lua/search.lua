-- Searches: the best matches of a template, by the smallest index that holds all of them, in slices of bounded size.
-- shares: indexFor, searchRoot, search, keepBest, searchVisible

-- Most candidates that a search looks at in one call; the client continues from where the search stopped.
local MOST_CANDIDATES = 200

-- Returns the policy of a root (OPS.announceKind).
local function policyOf(root)
  local policies = facts.policies or {}
  local policy = policies[root]
  if policy == nil then
    -- The framework's own kinds index every single value, and are not listed.
    policy = find(root, KIND.own, 1, true) ~= 1 and call('HGET', keys.kinds, root) or 's*'
    policies[root], facts.policies = policy, policies
  end
  return policy
end

-- Returns whether all writers under a root announce an index of this name.
function LATER.isAnnounced(root, name)
  local policy = policyOf(root)
  return byte(policy) ~= 115 and find(policy, ':' .. name .. ':', 1, true) ~= nil
end

-- Returns whether all writers under a root index such a token. Structures are never indexed by default; tokens of several
-- fields together only if all writers name them.
local function isIndexedEverywhere(root, token)
  local policy = policyOf(root)
  local at = find(token, '=', 1, true)
  local first, name = byte(token, at + 1), sub(token, 1, at - 1)
  local isAbsence = first == SIGN_BYTES.absent
  if byte(policy) == 115 and (first == SIGN_BYTES.structure or first == SIGN_BYTES.hash or isAbsence) then return false end
  if isAbsence then name = name .. SIGN.absence end
  return sub(policy, 2) == '*' or find(policy, ':' .. name .. ':', 1, true) ~= nil
end

-- Returns how many entries an index holds, or several.
local function heldBy(index)
  if type(index) == 'string' then return call('ZCARD', index) end
  if index.key then return call('ZLEXCOUNT', index.key, index.from, index.to) end
  local held = 0
  for j = 1, #index do held = held + call('ZCARD', index[j]) end
  return held
end

-- Returns the indexes that together hold the matches of a condition, and how many entries they hold; nil if it has none.
local function indexesOf(condition, root, keyOfToken)
  local tokens = LATER.conditions.tokensAsked(condition)
  if not tokens then return nil end
  local all = {}
  for j = 1, #tokens do
    if not isIndexedEverywhere(root, tokens[j]) then return nil end
    all[j] = keyOfToken(root .. '|' .. tokens[j])
  end
  return all, heldBy(all)
end

-- Returns the smallest index that holds all matches (several, as a list, if a condition has alternatives), and the tokens
-- that remain to be verified; then the number of the token whose index it is, indexed and compound ones counted together
-- (0: none), and the condition whose indexes these are. `isRead`: use the indexes of entries that transactions have read,
-- instead of free entries.
local function indexFor(spec, root, isRead)
  local keyOfKind, keyOfToken = freeKey, freeWithKey
  if isRead then keyOfKind, keyOfToken = readKey, readWithKey end
  local best, size, at = keyOfKind(spec.kind == KIND.any and root or spec.kind), nil, 0
  local n = #spec.indexed
  for j = 1, n + (spec.compound and #spec.compound or 0) do
    local token = j > n and spec.compound[j - n] or spec.indexed[j]
    if isIndexedEverywhere(root, token) then
      local key = keyOfToken(root .. '|' .. token)
      local held = n == 1 and not spec.compound and not spec.conditions and 0 or call('ZCARD', key)
      if not size or held < size then best, size, at = key, held, j end
      if held == 0 then break end
    end
  end
  local conditions, asked = spec.conditions and LATER.conditions.of(spec.conditions) or {}, nil
  for j = 1, #conditions do
    local several, held = indexesOf(conditions[j], root, keyOfToken)
    -- Position 0 is no token: all of them are verified.
    if several and (not size or held < size) then best, size, at, asked = several, held, 0, conditions[j] end
  end
  local needles = {}
  if size and spec.kind ~= KIND.any and spec.kind ~= root then needles[1] = '|' .. SIGN.kind .. spec.kind .. '|' end
  for j = 1, #spec.indexed do if j ~= at then needles[#needles + 1] = '|' .. spec.indexed[j] .. '|' end end
  for j = 1, #spec.verified do needles[#needles + 1] = '|' .. spec.verified[j] .. '|' end
  return best, needles, at, asked
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

-- Most ids that are read of several indexes at once: of each as many as are asked for.
local MOST_OF_SEVERAL = 800

local function byScore(a, b) return tonumber(a[2]) < tonumber(b[2]) end

-- Returns the next ids of an index, or of several whose entries differ, each followed by its score; and how many at most
-- were asked for: if there are fewer, no more are left.
local function nextOf(index, after, size)
  local from = after and '(' .. after or '-inf'
  if type(index) == 'string' then
    return call('ZRANGEBYSCORE', index, from, '+inf', 'WITHSCORES', 'LIMIT', 0, size), size
  end
  local all, ids = {}, {}
  if index.key then
    local members = call('ZRANGEBYLEX', index.key, after and '(' .. after .. '\255' or index.from, index.to, 'LIMIT', 0, size)
    for j = 1, #members do ids[2 * j - 1], ids[2 * j] = LATER.order.splitMember(members[j]) end
    return ids, size
  end
  local share = floor(MOST_OF_SEVERAL / #index)
  if size > share then size = share end
  for j = 1, #index do
    local own = call('ZRANGEBYSCORE', index[j], from, '+inf', 'WITHSCORES', 'LIMIT', 0, size)
    for k = 1, #own, 2 do all[#all + 1] = { own[k], own[k + 1] } end
  end
  table.sort(all, byScore)
  for j = 1, #all < size and #all or size do ids[2 * j - 1], ids[2 * j] = all[j][1], all[j][2] end
  return ids, size
end

-- Takes an id out of the indexes in which a search has met it.
local function dropFrom(index, id, place)
  if type(index) == 'string' then return call('ZREM', index, id) end
  if index.key then return call('ZREM', index.key, place .. id) end
  for j = 1, #index do call('ZREM', index[j], id) end
end

-- Returns the needles for records that no index has led to.
local function needlesOf(spec)
  local needles = {}
  if spec.kind ~= KIND.any then needles[1] = '|' .. SIGN.kind .. spec.kind .. '|' end
  for j = 1, #spec.indexed do needles[#needles + 1] = '|' .. spec.indexed[j] .. '|' end
  for j = 1, #spec.verified do needles[#needles + 1] = '|' .. spec.verified[j] .. '|' end
  return needles
end

-- Returns up to `most` matches under one root in order, each { id, record }, and where to continue if the bound on
-- candidates was met. `accept` may refuse a match.
local function searchRoot(spec, root, most, after, isRead, accept)
  if root == KIND.ticket then return isRead and {} or searchTicket(spec) end
  local index, needles = indexFor(spec, root, isRead)
  local inOrder = spec.orderedBy and LATER.order.indexFor(spec, root)
  spec.inOrder = inOrder ~= nil and inOrder ~= false
  if inOrder and not isRead then
    index, needles = inOrder, needlesOf(spec)
  elseif after and byte(after) > 57 then
    -- The place was in the order of a field, which a new writer does not keep: the search begins anew.
    after = nil
  end
  local conditions = spec.conditions and LATER.conditions.of(spec.conditions)
  local hits, seen, size = {}, 0, most
  while true do
    local ids, asked = nextOf(index, after, size)
    if #ids == 0 then return hits end
    local names = {}
    for j = 1, #ids, 2 do names[#names + 1] = ids[j] end
    local records = call('HMGET', keys.entries, unpack_(names))
    for j = 1, #names do
      local record = records[j]
      if not record or not isSound(record) then
        dropFrom(index, names[j], ids[2 * j])
        if record or counters.loaded then LATER.setAside(names[j], record or '') end
      elseif isAside(record, root) then
        dropFrom(index, names[j], ids[2 * j])
      elseif hasExpired(record) or (isRequest(record) and not isPresent(requesterOf(record))) then
        remove(names[j], record)
      elseif hasAll(record, needles) and (not conditions or LATER.conditions.hold(conditions, record, RECORD.signature.from))
        and (not accept or accept(names[j], record)) then
        hits[#hits + 1] = { names[j], record }
        if #hits == most then return hits end
      end
    end
    after = ids[#ids]
    seen = seen + #names
    if #names < asked then return hits end
    if seen >= MOST_CANDIDATES then return hits, after end
    size = size * 4
    if size < 8 then size = 8 end
    if size > MOST_CANDIDATES - seen then size = MOST_CANDIDATES - seen end
  end
end

local function byPlace(a, b) return scoreOf(a[2]) < scoreOf(b[2]) end

-- Returns the place of a match among those of a search: in the order of a field, or of priority and age.
local function placeIn(spec, record)
  local ordered = spec.inOrder and indexInfo(signatureOf(record)).ordered
  local own = ordered and ordered[spec.orderedBy]
  return own and LATER.order.prefixOf(own, record) or scoreOf(record)
end

LATER.placeIn = placeIn

local function isBehind(place, other) return LATER.conditions.compareBytes(place, other) > 0 end

-- Keeps the first `most` in order. `spec`: of the search, if it may go in the order of a field.
local function keepBest(hits, most, spec)
  if spec and spec.inOrder then
    for j = 1, #hits do hits[j][3] = placeIn(spec, hits[j][2]) end
    table.sort(hits, function(a, b) return isBehind(b[3], a[3]) end)
  else
    table.sort(hits, byPlace)
  end
  for j = most + 1, #hits do hits[j] = nil end
end

-- Searches the free entries of any root. AnyEntry has no index, so the best of each root are combined. The client does
-- not continue such a search, so it is completed here; that is long only if a template of AnyEntry names fields that
-- not all writers index.
local function search(spec, most, after, accept)
  flushRecords()
  if spec.kind ~= KIND.any then return searchRoot(spec, spec.root, most, after, false, accept) end
  local all = {}
  local roots = LATER.rootsIn(freeKey)
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

-- Returns whether a record that no index has led to matches. `needles`: as needlesOf returns them.
local function matches(record, needles, spec)
  return hasAll(record, needles)
    and (not spec.conditions or LATER.conditions.hold(LATER.conditions.of(spec.conditions), record, RECORD.signature.from))
end

LATER.needlesOf, LATER.isMatch = needlesOf, matches

-- Adds entries that the find's transaction has written and not taken.
local function searchWritten(spec, most, after, into)
  local needles = needlesOf(spec)
  local ids = call('ZRANGEBYSCORE', writtenKey(spec.tx), after and '(' .. after or '-inf', '+inf')
  for j = 1, #ids do
    local record = recordOf(ids[j])
    if record and not hasExpired(record) and matches(record, needles, spec) then
      into[#into + 1] = { ids[j], record }
      if #into >= most then return end
    end
  end
end

-- More than a transaction may have.
local MOST_HIDDEN = 1000000

-- Returns the matches that a find may have: free entries; for a read those read by transactions; under a transaction
-- also those that it has written or read.
local function searchVisible(spec, most, after)
  local hits, on = search(spec, most, after)
  local more = {}
  -- Entries that transactions have read or written are in no order of a field: all of them are looked at.
  local hidden, since = most, after
  if spec.inOrder or after and byte(after) > 57 then hidden, since = MOST_HIDDEN, nil end
  if (spec.mode == 'read' or spec.tx ~= '') and exists(keys.readers) then
    local roots = spec.kind == KIND.any and LATER.rootsIn(readKey) or { spec.root }
    for j = 1, #roots do
      local found = {}
      searchRead(spec, roots[j], hidden, since, found)
      for h = 1, #found do more[#more + 1] = found[h] end
    end
  end
  if spec.tx ~= '' and facts[writtenKey(spec.tx)] ~= false then
    local found = {}
    searchWritten(spec, hidden, since, found)
    for h = 1, #found do more[#more + 1] = found[h] end
  end
  if #more == 0 then return hits, on end
  -- A match beyond the place that the search has reached is returned when the search is continued.
  for h = 1, #more do
    local place = placeIn(spec, more[h][2])
    if not (on and isBehind(place, on)) and not (spec.inOrder and after and not isBehind(place, after)) then
      hits[#hits + 1] = more[h]
    end
  end
  keepBest(hits, most, spec)
  return hits, #hits < most and on or nil
end

-- Most matches that are counted in one call.
local MOST_COUNTED = 500

-- `after`: the score at which the last slice ended, or ''. Replies where to continue, or '', and a number.
function OPS.count(after, template)
  local spec = readTemplate(template, 'read')
  spec.tx = ''
  flushRecords()
  local index, needles = indexFor(spec, spec.root)
  if #needles == 0 and not spec.conditions then
    local count = heldBy(index)
    if exists(keys.readers) then count = count + heldBy((indexFor(spec, spec.root, true))) end
    return reply(REPLY.page, '', format('%.0f', count))
  end
  local hits, on = searchVisible(spec, MOST_COUNTED, after ~= '' and after or nil)
  if #hits == MOST_COUNTED then on = placeIn(spec, hits[MOST_COUNTED][2]) end
  reply(REPLY.page, on or '', textOf(#hits))
end

-- Replies the fields whose index leads to the matches, separated by ; ('': all entries of the kind), and how many it holds.
function OPS.plan(template)
  local spec = readTemplate(template, 'read')
  flushRecords()
  local index, _, at, asked = indexFor(spec, spec.root)
  local inOrder = spec.orderedBy and LATER.order.indexFor(spec, spec.root)
  if inOrder then index, asked = inOrder, { field = spec.orderedBy } end
  local token = at > #spec.indexed and spec.compound[at - #spec.indexed] or spec.indexed[at]
  local fields = asked and asked.field or token and sub(token, 1, find(token, '=', 1, true) - 1) or ''
  reply(REPLY.page, fields, format('%.0f', heldBy(index)))
end
