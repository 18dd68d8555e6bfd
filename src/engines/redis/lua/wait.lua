-- Waits: who waits for which template, found by looking the template up and not by trying all of them.
--
-- A shape is the list of fields that a template names. For each kind at most four shapes have lines of their own; templates of further
-- shapes stand in the line of their first field (a shape that ends in *) and are verified one by one.
-- shares: linesFor, lineOf, specOf, setScore, register, unregister, memberOf, hasOne, meets, holders, hand

local MOST_SHAPES = 4

-- The shapes that waits of a mode (t takes, r reads, n registrations) on a kind have now, by `mode@kind`.
local function readShapes(regs)
  local texts = call('HMGET', P .. 'W', unpack_(regs))
  for i = 1, #regs do
    local list = {}
    if texts[i] then for shape in gmatch(texts[i], '[^|]+') do list[#list + 1] = shape end end
    shapes[regs[i]] = list
  end
end

local function shapesOf(reg)
  if not shapes[reg] then readShapes({ reg }) end
  return shapes[reg]
end

local function saveShapes(reg, list)
  if #list == 0 then call('HDEL', P .. 'W', reg) else call('HSET', P .. 'W', reg, concat(list, '|')) end
  for _, c in pairs(sigs) do c.t, c.r, c.n = nil, nil, nil end
end

-- The lines in which waits of this mode may stand that match such an entry: { key, whether each must be verified }.
local function linesFor(c, mode)
  local found = c[mode]
  if found then return found end
  local regs = {}
  for k = 1, #c.kinds do
    local kind = c.kinds[k]
    if not shapes['t@' .. kind] then regs[#regs + 1] = 't@' .. kind end
    if not shapes['r@' .. kind] then regs[#regs + 1] = 'r@' .. kind end
    if not shapes['n@' .. kind] then regs[#regs + 1] = 'n@' .. kind end
  end
  if #regs > 0 then readShapes(regs) end
  found = {}
  for k = 1, #c.kinds do
    local kind = c.kinds[k]
    local list = shapesOf(mode .. '@' .. kind)
    for s = 1, #list do
      local shape, tokens, all = list[s], {}, true
      for field in gmatch(shape, '[^:,*]+') do
        local token = c.tokens[field]
        if not token then all = false break end
        tokens[#tokens + 1] = token
      end
      if all then
        found[#found + 1] = { P .. 'w' .. mode .. '@' .. kind .. shape .. '|' .. concat(tokens, '|'), byte(shape, -1) == 42 }
      end
    end
  end
  c[mode] = found
  return found
end

-- A line is read as far as it is needed: its best sixteen, or the whole of it.
local function lineOf(key, whole)
  local line = lines[key]
  if line then
    if line.whole or not whole then return line end
    flushLine(line)
  end
  local got = call('ZREVRANGE', key, 0, whole and -1 or 15, 'WITHSCORES')
  line = { key = key, score = {}, changed = {}, whole = whole or #got < 32 }
  for i = 1, #got, 2 do line.score[got[i]] = tonumber(got[i + 1]) end
  lines[key] = line
  return line
end

local function specOf(sid, wid)
  local member = sid .. ':' .. wid
  local spec = specs[member]
  if spec == nil then
    local packed = call('HGET', P .. 'p' .. sid, wid)
    spec = packed and cmsgpack.unpack(packed) or false
    specs[member] = spec
  end
  return spec
end

local function setScore(line, member, score)
  line.score[member] = score > 0 and score or nil
  line.changed[member] = true
end

-- The wait stands in its line from now on, with room for `credit` entries.
local function register(sid, wid, spec, credit)
  local items = {}
  for i = 1, #spec.indexed do items[#items + 1] = spec.indexed[i] end
  for i = 1, #spec.verified do items[#items + 1] = spec.verified[i] end
  local names = {}
  for i = 1, #items do names[i] = sub(items[i], 1, find(items[i], '=', 1, true) - 1) end
  local reg = spec.mode .. '@' .. spec.kind
  local shape, tokens = ':' .. concat(names, ','), concat(items, '|')
  local list, known, exact = shapesOf(reg), false, 0
  for i = 1, #list do
    if list[i] == shape then known = true end
    if byte(list[i], -1) ~= 42 then exact = exact + 1 end
  end
  if spec.anyOf or not known and #items > 1 and exact >= MOST_SHAPES then shape, tokens = ':' .. names[1] .. '*', items[1] end
  spec.reg, spec.shape, spec.key = reg, shape, P .. 'w' .. reg .. shape .. '|' .. tokens
  if call('HINCRBY', P .. 'Wn', reg .. shape, 1) == 1 then
    list[#list + 1] = shape
    saveShapes(reg, list)
  end
  call('HSET', P .. 'p' .. sid, wid, cmsgpack.pack(spec))
  if spec.ifExists then call('SADD', P .. 'I', sid .. ':' .. wid) end
  meta.wait = (meta.wait + 1) % (CREDIT_STEP - 1)
  metaDirty = true
  spec.order = meta.wait + 1
  specs[sid .. ':' .. wid] = spec
  setScore(lineOf(spec.key), sid .. ':' .. wid, credit * CREDIT_STEP - spec.order)
end

-- Nobody waits there any longer. False if nobody did.
local function unregister(sid, wid)
  local spec = specOf(sid, wid)
  if not spec then return false end
  local member = sid .. ':' .. wid
  call('HDEL', P .. 'p' .. sid, wid)
  specs[member] = false
  if spec.ifExists then call('SREM', P .. 'I', member) end
  setScore(lineOf(spec.key), member, 0)
  if call('HINCRBY', P .. 'Wn', spec.reg .. spec.shape, -1) <= 0 then
    call('HDEL', P .. 'Wn', spec.reg .. spec.shape)
    local list, rest = shapesOf(spec.reg), {}
    for i = 1, #list do if list[i] ~= spec.shape then rest[#rest + 1] = list[i] end end
    shapes[spec.reg] = rest
    saveShapes(spec.reg, rest)
  end
  return true
end

-- Members are session:wait, and sessions have 22 characters. `once`: a plain read or take, which leaves the line when it is served.
local function memberOf(member)
  local known = members[member]
  if not known then
    local wid = sub(member, 24)
    known = { sid = sub(member, 1, 22), wid = wid, delivery = 'd' .. wid .. '\t', view = 'v' .. wid .. '\t', once = byte(wid) ~= 111 }
    members[member] = known
  end
  return known
end

-- Whether an entry has one of these tokens, if any are asked for.
local function hasOne(tokens, S)
  if not tokens then return true end
  for i = 1, #tokens do if find(S, '|' .. tokens[i] .. '|', 1, true) then return true end end
  return false
end

-- Whether a wait that shares only its first field with others in its line is met by this entry.
local function meets(member, S)
  local who = memberOf(member)
  local spec = specOf(who.sid, who.wid)
  if not spec then return false end
  for i = 1, #spec.indexed do if not find(S, '|' .. spec.indexed[i] .. '|', 1, true) then return false end end
  for i = 1, #spec.verified do if not find(S, '|' .. spec.verified[i] .. '|', 1, true) then return false end end
  return hasOne(spec.anyOf, S)
end

-- The sessions that hold a suspect, each as a key.
local function holders()
  if not isThere('D') then return {} end
  local sids, set = call('HVALS', P .. 'D'), {}
  for i = 1, #sids do set[sids[i]] = true end
  return set
end

-- A take under a transaction is told by its first letter. Once that has ended it waits for nothing, though it may still stand in line.
local function ended(member)
  if byte(member, 24) ~= 84 then return false end
  local who = memberOf(member)
  local spec = specOf(who.sid, who.wid)
  return not spec or not live(spec.tx)
end

-- The taker to hand such an entry to: most free credit first, then who has waited longest. Its credit is one less from here on.
local function hand(c, suspect)
  local avoided = suspect and holders()
  local candidates = linesFor(c, 't')
  local best, bestLine, bestScore = nil, nil, 0
  for i = 1, #candidates do
    local key, verify = candidates[i][1], candidates[i][2]
    local line = lineOf(key, verify or avoided ~= nil)
    if not line.whole and next(line.score) == nil then
      flushLine(line)
      lines[key] = nil
      line = lineOf(key, verify)
    end
    for member, score in pairs(line.score) do
      if score > bestScore and (not verify or meets(member, c.text)) and not (avoided and avoided[memberOf(member).sid]) and not ended(member) then
        best, bestLine, bestScore = member, line, score
      end
    end
  end
  if best then
    local rest = bestScore - CREDIT_STEP
    bestLine.score[best] = rest > 0 and rest or nil
    bestLine.changed[best] = true
  end
  return best
end
