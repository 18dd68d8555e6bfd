-- f, g, u, o, O: reads and takes, the ones that wait for an entry, and the standing ones that have credit.

-- A search looks at no more candidates than this in one call; then the client goes on from where it stopped.
local MOST_CANDIDATES = 200

-- A template as it is asked for: kind, root, number of indexed tokens, these, number of others, these.
local function readSpec(argv, i, mode)
  local spec = { mode = mode, kind = argv[i], root = argv[i + 1], indexed = {}, verified = {} }
  local n = tonumber(argv[i + 2])
  for j = 1, n do spec.indexed[j] = argv[i + 2 + j] end
  i = i + 3 + n
  n = tonumber(argv[i])
  for j = 1, n do spec.verified[j] = argv[i + j] end
  return spec, i + n + 1
end

-- Whether everybody who writes under this root indexes such a token (see K of write.lua). A structure begins with =o.
local function everywhere(root, token)
  local policy = policies[root]
  if policy == nil then
    -- The framework's own kinds index every single value, and are not listed.
    policy = find(root, 'takespace.', 1, true) ~= 1 and call('HGET', P .. 'K', root) or 's*'
    policies[root] = policy
  end
  if policy == 's*' then return find(token, '=o', 1, true) == nil end
  local at = find(token, '=', 1, true)
  if byte(policy) == 115 and byte(token, at + 1) == 111 then return false end
  return sub(policy, 2) == '*' or find(policy, ':' .. sub(token, 1, at - 1) .. ':', 1, true) ~= nil
end

-- The smallest index that holds all matches, and what it leaves to verify.
local function wayTo(spec, root)
  local best, size, at = P .. 'f@' .. (spec.kind == '*' and root or spec.kind), nil, 0
  for j = 1, #spec.indexed do
    if everywhere(root, spec.indexed[j]) then
      local key = P .. 'f=' .. root .. '|' .. spec.indexed[j]
      local n = #spec.indexed == 1 and 0 or call('ZCARD', key)
      if not size or n < size then best, size, at = key, n, j end
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

-- Up to `most` free matches in order, each { id, record }. The second result is where to go on if the bound was met.
local function searchRoot(spec, root, most, after)
  local key, needles = wayTo(spec, root)
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
      elseif fits(rec, needles) then
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
local function search(spec, most, after)
  flushPuts()
  if spec.kind ~= '*' then return searchRoot(spec, spec.root, most, after) end
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

-- Out of the indexes, but still there: held.
local function unindex(id, rec)
  local c = sig(signatureOf(rec))
  for j = 1, #c.index do call('ZREM', c.index[j], id) end
end

local function found(hit, mode, answer)
  local id, rec = hit[1], hit[2]
  if mode == 'r' then return answer('f', id, '', rec) end
  unindex(id, rec)
  answer('f', id, claimFor(SID, id), rec)
end

-- f: the best match; if there is none and a wait is named, it stands in line from now on. mode, wait or '', template
function OPS.f(argv, i, answer)
  local mode, wid = argv[i], argv[i + 1]
  local spec, rest = readSpec(argv, i + 2, mode)
  local hits, after = search(spec, 1)
  if hits[1] then
    found(hits[1], mode, answer)
  else
    if wid ~= '' then register(SID, wid, spec, 1) end
    if after then answer('m', after) else answer(wid ~= '' and 'w' or 'n') end
  end
  return rest
end

-- g: goes on with a search that met its bound. mode, wait or '', where to go on, template
function OPS.g(argv, i, answer)
  local mode, wid = argv[i], argv[i + 1]
  local spec, rest = readSpec(argv, i + 3, mode)
  if wid ~= '' and not specOf(SID, wid) then
    answer('w')
    return rest
  end
  local hits, after = search(spec, 1, argv[i + 2])
  if hits[1] then
    if wid ~= '' then unregister(SID, wid) end
    found(hits[1], mode, answer)
  elseif after then
    answer('m', after)
  else
    answer(wid ~= '' and 'w' or 'n')
  end
  return rest
end

-- u: nobody waits there any longer; n says that it was served before, and that the push has been sent. wait
function OPS.u(argv, i, answer)
  answer(unregister(SID, argv[i]) and 'k' or 'n')
  return i + 1
end

-- o: a standing take with credit. wait, credit, template
function OPS.o(argv, i, answer, credits)
  local wid, credit = argv[i], tonumber(argv[i + 1])
  local spec, rest = readSpec(argv, i + 2, 't')
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

-- Offers whose credit has risen are handed what is there already; what credit is left stands in line.
local function refill(credits)
  for wid, more in pairs(credits) do
    local spec = specOf(SID, wid)
    if spec then
      local member, line = SID .. ':' .. wid, lineOf(spec.key)
      local score = line.score[member] or (line.changed[member] and 0) or tonumber(call('ZSCORE', spec.key, member) or 0)
      local credit = more + (score > 0 and ceil(score / CREDIT_STEP) or 0)
      local hits = search(spec, credit)
      for h = 1, #hits do
        unindex(hits[h][1], hits[h][2])
        push(SID, 'd' .. wid .. '\t', claimFor(SID, hits[h][1]), hits[h][2])
      end
      meta.wait = (meta.wait + 1) % (CREDIT_STEP - 1)
      metaDirty = true
      setScore(line, member, (credit - #hits) * CREDIT_STEP - meta.wait - 1)
    end
  end
end
