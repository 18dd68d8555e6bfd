-- f, g, u, o, O: reads and takes, the ones that wait for an entry, and the standing ones that have credit.
-- shares: readSpec, wayTo, searchRoot, byPlace, look, missIfExists, refill

-- A search looks at no more candidates than this in one call; then the client goes on from where it stopped.
local MOST_CANDIDATES = 200

-- A template as it is asked for: kind, root, number of indexed tokens, these, number of others, these, number of compound tokens, these.
local function readSpec(argv, i, mode)
  local spec = { mode = mode, kind = argv[i], root = argv[i + 1], indexed = {}, verified = {} }
  local n = tonumber(argv[i + 2])
  for j = 1, n do spec.indexed[j] = argv[i + 2 + j] end
  i = i + 3 + n
  n = tonumber(argv[i])
  for j = 1, n do spec.verified[j] = argv[i + j] end
  i = i + n + 1
  n = tonumber(argv[i])
  if n > 0 then
    spec.compound = {}
    for j = 1, n do spec.compound[j] = argv[i + j] end
  end
  return spec, i + n + 1
end

-- Whether everybody who writes under this root indexes such a token (see K of write.lua). A structure begins with =o, a token of several
-- fields together with =#; these are indexed only where all name them.
local function everywhere(root, token)
  local policy = policies[root]
  if policy == nil then
    -- The framework's own kinds index every single value, and are not listed.
    policy = find(root, 'takespace.', 1, true) ~= 1 and call('HGET', P .. 'K', root) or 's*'
    policies[root] = policy
  end
  local at = find(token, '=', 1, true)
  local first = byte(token, at + 1)
  if byte(policy) == 115 and (first == 111 or first == 35) then return false end
  return sub(policy, 2) == '*' or find(policy, ':' .. sub(token, 1, at - 1) .. ':', 1, true) ~= nil
end

-- The smallest index that holds all matches, and what it leaves to verify.
-- `letter`: f what is free, r what transactions have read.
local function wayTo(spec, root, letter)
  local best, size, at = P .. letter .. '@' .. (spec.kind == '*' and root or spec.kind), nil, 0
  local n = #spec.indexed
  for j = 1, n + (spec.compound and #spec.compound or 0) do
    local token = j > n and spec.compound[j - n] or spec.indexed[j]
    if everywhere(root, token) then
      local key = P .. letter .. '=' .. root .. '|' .. token
      local held = n == 1 and not spec.compound and 0 or call('ZCARD', key)
      if not size or held < size then best, size, at = key, held, j end
      if held == 0 then break end
    end
  end
  local needles = {}
  if at > 0 and spec.kind ~= '*' and spec.kind ~= root then needles[1] = '|@' .. spec.kind .. '|' end
  for j = 1, #spec.indexed do if j ~= at then needles[#needles + 1] = '|' .. spec.indexed[j] .. '|' end end
  for j = 1, #spec.verified do needles[#needles + 1] = '|' .. spec.verified[j] .. '|' end
  return best, needles
end

local function fits(rec, needles)
  local n = #needles
  if n == 0 then return true end
  local stop = find(rec, '\n', 46, true)
  for j = 1, n do
    local at = find(rec, needles[j], 46, true)
    if not at or at > stop then return false end
  end
  return true
end

-- Up to `most` matches in order, each { id, record }, of those that are free; or, with another letter, of those that transactions have
-- read and that are accepted. The second result is where to go on if the bound was met.
local function searchRoot(spec, root, most, after, letter, accept)
  local key, needles = wayTo(spec, root, letter or 'f')
  local hits, seen, size = {}, 0, most
  while true do
    local ids = call('ZRANGEBYSCORE', key, after and '(' .. after or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, size)
    if #ids == 0 then return hits end
    local names = {}
    for j = 1, #ids, 2 do names[#names + 1] = ids[j] end
    local recs = call('HMGET', P .. 'e', unpack_(names))
    for j = 1, #names do
      local rec = recs[j]
      if not rec then
        call('ZREM', key, names[j])
      elseif expired(rec) or (isRequest(rec) and not alive(replyTo(rec))) then
        remove(names[j], rec)
      elseif fits(rec, needles) and (not accept or accept(names[j], rec)) then
        hits[#hits + 1] = { names[j], rec }
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

-- AnyEntry is a union over the roots, not an index: the best of each root's best. Its search is not continued by the client, so it goes
-- on here; only a template of AnyEntry that names fields which not everybody indexes ever makes it long.
local function search(spec, most, after, accept)
  flushPuts()
  if spec.kind ~= '*' then return searchRoot(spec, spec.root, most, after, 'f', accept) end
  local all = {}
  local roots = call('HKEYS', P .. 'K')
  for j = 1, #roots do
    local hits, on
    repeat
      hits, on = searchRoot(spec, roots[j], most, on)
      for h = 1, #hits do all[#all + 1] = hits[h] end
    until not on or #hits == most
  end
  table.sort(all, function(a, b) return scoreOf(a[2]) < scoreOf(b[2]) end)
  for j = most + 1, #all do all[j] = nil end
  return all
end

local function byPlace(a, b) return scoreOf(a[2]) < scoreOf(b[2]) end

-- All of a root that transactions have read, as far as this template's owner may have it: who reads, any; who takes, what it alone has read.
local function searchLocked(spec, root, most, after, into)
  local function sole(id) return call('HGET', P .. 'R', id) == ',' .. spec.tx .. ',' end
  local on = after
  local hits
  repeat
    hits, on = searchRoot(spec, root, most, on, 'r', spec.mode == 't' and sole or nil)
    for h = 1, #hits do into[#into + 1] = hits[h] end
  until not on or #into >= most
end

-- All that a record is compared with when no index has led to it.
local function needlesOf(spec)
  local needles = {}
  if spec.kind ~= '*' then needles[1] = '|@' .. spec.kind .. '|' end
  for j = 1, #spec.indexed do needles[#needles + 1] = '|' .. spec.indexed[j] .. '|' end
  for j = 1, #spec.verified do needles[#needles + 1] = '|' .. spec.verified[j] .. '|' end
  return needles
end

-- What its transaction has written and not taken.
local function searchOwn(spec, most, after, into)
  local needles = needlesOf(spec)
  local ids = call('ZRANGEBYSCORE', P .. 'u' .. spec.tx, after and '(' .. after or '-inf', '+inf')
  for j = 1, #ids do
    local rec = call('HGET', P .. 'e', ids[j])
    if rec and not expired(rec) and fits(rec, needles) then
      into[#into + 1] = { ids[j], rec }
      if #into >= most then return end
    end
  end
end

-- All that a read, or whoever has a transaction, may have: what is free, what has been read, what was written under its own transaction.
local function look(spec, most, after)
  local hits, on = search(spec, most, after)
  local more = {}
  if (spec.mode == 'r' or spec.tx ~= '') and isThere('R') then
    local roots = spec.kind == '*' and call('HKEYS', P .. 'K') or { spec.root }
    for j = 1, #roots do
      local locked = {}
      searchLocked(spec, roots[j], most, after, locked)
      for h = 1, #locked do more[#more + 1] = locked[h] end
    end
  end
  if spec.tx ~= '' and facts['u' .. spec.tx] ~= false then
    local own = {}
    searchOwn(spec, most, after, own)
    for h = 1, #own do more[#more + 1] = own[h] end
  end
  if #more == 0 then return hits, on end
  -- What stands behind the place that the search has reached comes when that has gone on.
  for h = 1, #more do if not on or scoreOf(more[h][2]) <= on then hits[#hits + 1] = more[h] end end
  table.sort(hits, byPlace)
  for j = most + 1, #hits do hits[j] = nil end
  return hits, #hits < most and on or nil
end

-- What a transaction has taken or written: in no index, and there again for others when it ends one way or the other.
local function hiddenBy(tid)
  local ids, written = takenUnder(tid), call('ZRANGE', P .. 'u' .. tid, 0, -1)
  for j = 1, #written do ids[#ids + 1] = written[j] end
  return ids
end

-- Whether a transaction of somebody else holds a match.
local function conflict(spec)
  flushPuts()
  local needles = needlesOf(spec)
  local names = isThere('T') and transactions() or {}
  for n = 1, #names do
    local ids = names[n] ~= spec.tx and hiddenBy(names[n]) or {}
    for j = 1, #ids do
      local rec = call('HGET', P .. 'e', ids[j])
      if rec and not expired(rec) and fits(rec, needles) and (spec.kind ~= '*' or isAnybodys(rec)) then return true end
    end
  end
  if spec.mode ~= 't' or not isThere('R') then return false end
  local roots = spec.kind == '*' and call('HKEYS', P .. 'K') or { spec.root }
  local function others(id) return call('HGET', P .. 'R', id) ~= ',' .. spec.tx .. ',' end
  for r = 1, #roots do
    local hits, on
    repeat
      hits, on = searchRoot(spec, roots[r], 1, on, 'r', others)
      if hits[1] then return true end
    until not on
  end
  return false
end

-- Out of the indexes, but still there: held.
local function unindex(id, rec)
  local c = sig(signatureOf(rec))
  for j = 1, #c.index do call('ZREM', c.index[j], id) end
end

local function found(hit, spec, answer)
  local id, rec = hit[1], hit[2]
  if spec.tx ~= '' then
    if spec.mode == 't' then
      takeUnder(spec.tx, id, rec)
    elseif not hasWritten(spec.tx, id) then
      lock(id, rec, sig(signatureOf(rec)), spec.tx)
    end
    return answer('f', id, '', rec)
  end
  if spec.mode == 'r' then return answer('f', id, '', rec) end
  unindex(id, rec)
  answer('f', id, claimFor(SID, id), rec)
end

-- What a find is: mode (t take, r read; T and R wait only for what transactions hold), wait or '', transaction or '', template.
local function readFind(argv, i)
  local mode, wid, tid = argv[i], argv[i + 1], argv[i + 2]
  local spec, rest = readSpec(argv, i + 3, mode:lower())
  spec.tx = tid
  spec.ifExists = mode ~= spec.mode or nil
  return spec, wid, rest
end

-- f: the best match; if there is none and a wait is named, it stands in line from now on. the find
function OPS.f(argv, i, answer)
  local spec, wid, rest = readFind(argv, i)
  if spec.tx ~= '' and not live(spec.tx) then
    answer('T')
    return rest
  end
  local hits, after = look(spec, 1)
  if hits[1] then
    if wid ~= '' and spec.tx ~= '' then unregister(SID, wid) end
    found(hits[1], spec, answer)
  else
    if wid ~= '' and spec.ifExists and not after and not conflict(spec) then wid = '' end
    -- One that looks again, because something may have become free for its transaction only, stands there already.
    if wid ~= '' and not (spec.tx ~= '' and specOf(SID, wid)) then register(SID, wid, spec, 1) end
    if after then answer('m', after) else answer(wid ~= '' and 'w' or 'n') end
  end
  return rest
end

-- g: goes on with a search that met its bound. where to go on, the find
function OPS.g(argv, i, answer)
  local spec, wid, rest = readFind(argv, i + 1)
  if spec.tx ~= '' and not live(spec.tx) then
    unregister(SID, wid)
    answer('T')
    return rest
  end
  if wid ~= '' and not specOf(SID, wid) then
    answer('w')
    return rest
  end
  local hits, after = look(spec, 1, argv[i])
  if hits[1] then
    if wid ~= '' then unregister(SID, wid) end
    found(hits[1], spec, answer)
  elseif after then
    answer('m', after)
  elseif spec.ifExists and wid ~= '' and not conflict(spec) then
    unregister(SID, wid)
    answer('n')
  else
    answer(wid ~= '' and 'w' or 'n')
  end
  return rest
end

-- Whether it has become free for the transaction under which it is waited for; its owner has been told to look again.
local function mayHave(spec) return spec.tx ~= '' and live(spec.tx) and look(spec, 1)[1] end

-- Who waits only for what transactions hold, does so no longer when none does.
local function missIfExists()
  local waiting = call('SMEMBERS', P .. 'I')
  for j = 1, #waiting do
    local who = memberOf(waiting[j])
    local spec = specOf(who.sid, who.wid)
    if not spec then
      call('SREM', P .. 'I', waiting[j])
    elseif not conflict(spec) and not mayHave(spec) then
      unregister(who.sid, who.wid)
      push(who.sid, 'z' .. who.wid .. '\t', '', '')
    end
  end
end

-- u: nobody waits there any longer; n says that it was served before, and that the push has been sent. wait
function OPS.u(argv, i, answer)
  answer(unregister(SID, argv[i]) and 'k' or 'n')
  return i + 1
end

-- o: a standing take with credit. wait, credit, template, how many tokens of which a match has one, these
function OPS.o(argv, i, answer, credits)
  local wid, credit = argv[i], tonumber(argv[i + 1])
  local spec, rest = readSpec(argv, i + 2, 't')
  spec.tx = ''
  local n = tonumber(argv[rest])
  if n > 0 then
    spec.anyOf = {}
    for j = 1, n do spec.anyOf[j] = argv[rest + j] end
  end
  rest = rest + n + 1
  unregister(SID, wid)
  register(SID, wid, spec, 0)
  credits[wid] = credit
  answer('k')
  return rest
end

-- O: it ends. wait
function OPS.O(argv, i, answer, credits)
  unregister(SID, argv[i])
  credits[argv[i]] = nil
  answer('k')
  return i + 1
end

-- What of a template with alternatives lies behind more of what it does not match than one search looks at: each alternative has an index.
local function searchEach(spec, most, accept, hits)
  local seen = {}
  for h = 1, #hits do seen[hits[h][1]] = true end
  for j = 1, #spec.anyOf do
    local one = { mode = 't', kind = spec.kind, root = spec.root, indexed = { spec.anyOf[j] }, verified = spec.indexed }
    local more = search(one, most, nil, accept)
    for h = 1, #more do if not seen[more[h][1]] then hits[#hits + 1] = more[h] end end
  end
  table.sort(hits, byPlace)
  for j = most + 1, #hits do hits[j] = nil end
end

-- Offers whose credit has risen are handed what is there already; what credit is left stands in line.
local function refill(credits)
  local busy = isThere('D') and holders()[SID]
  local function bearable(id, rec)
    if not isSuspect(rec) then return true end
    if busy then return false end
    busy = true
    return true
  end
  for wid, more in pairs(credits) do
    local spec = specOf(SID, wid)
    if spec then
      local member, line = SID .. ':' .. wid, lineOf(spec.key)
      local score = line.score[member] or (line.changed[member] and 0) or tonumber(call('ZSCORE', spec.key, member) or 0)
      local credit = more + (score > 0 and ceil(score / CREDIT_STEP) or 0)
      local accept = bearable
      if spec.anyOf then
        accept = function(id, rec) return hasOne(spec.anyOf, signatureOf(rec)) and bearable(id, rec) end
      end
      local hits, on = search(spec, credit, nil, accept)
      if on and spec.anyOf then searchEach(spec, credit, accept, hits) end
      for h = 1, #hits do
        unindex(hits[h][1], hits[h][2])
        if isSuspect(hits[h][2]) then suspect(SID, hits[h][1]) end
        push(SID, 'd' .. wid .. '\t', claimFor(SID, hits[h][1]), hits[h][2])
      end
      meta.wait = (meta.wait + 1) % (CREDIT_STEP - 1)
      metaDirty = true
      setScore(line, member, (credit - #hits) * CREDIT_STEP - meta.wait - 1)
    end
  end
end
