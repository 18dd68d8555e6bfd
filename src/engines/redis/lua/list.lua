-- i, j, z, J: what is there, without taking or waiting: a page of entries, how many wait and for how long, what takers offer, the kinds.
-- shares: item, readPage

local SESSION = 'takespace.Session'

-- A page is told as a push is: items of a letter, two words and bytes.
local function item(page, a, b, bytes)
  local n = #page
  page[n + 1], page[n + 2], page[n + 3], page[n + 4] = 'i' .. a .. '\t', b, lengthOf(bytes), bytes
end

-- What is asked for page by page: where the last one ended or '', how many, transaction or '', template of one kind.
local function readPage(argv, i, mode)
  local spec, rest = readSpec(argv, i + 3, mode)
  spec.tx = argv[i + 2]
  return spec, tonumber(argv[i + 1]), argv[i] ~= '' and argv[i] or nil, rest
end

-- i: what can be read, in the order of its places, from where the last page ended; under a transaction it is locked. a page
function OPS.i(argv, i, answer)
  local spec, most, after, rest = readPage(argv, i, 'r')
  local tid = spec.tx
  if tid ~= '' and not live(tid) then
    answer('T')
    return rest
  end
  flushPuts()
  local hits, on = look(spec, most, after)
  local page = { now13 }
  for h = 1, #hits do
    local id, rec = hits[h][1], hits[h][2]
    item(page, id, '', rec)
    if tid ~= '' and not hasWritten(tid, id) then lock(id, rec, sig(signatureOf(rec)), tid) end
  end
  if #hits == most then on = scoreOf(hits[most][2]) end
  answer('p', on or '', concat(page))
  return rest
end

-- Priorities are bands of scores, and the oldest of each stands at its beginning; of further bands nothing is said.
local MOST_BANDS = 16

-- j: how many free entries there are, and when the oldest of them was written. template with at most one field
function OPS.j(argv, i, answer)
  local spec, rest = readSpec(argv, i, 'r')
  flushPuts()
  local key = wayTo(spec, spec.root, 'f')
  local oldest, after = nil, nil
  for _ = 1, MOST_BANDS do
    local hit = searchRoot(spec, spec.root, 1, after)[1]
    if not hit then break end
    local written = sub(hit[2], 14, 26)
    if not oldest or written < oldest then oldest = written end
    local band = floor((tonumber(scoreOf(hit[2])) - SCORE_ZERO) / PRIORITY_STEP)
    after = format('%.0f', SCORE_ZERO + (band + 1) * PRIORITY_STEP)
  end
  answer('p', oldest or '', tostring(call('ZCARD', key)))
  return rest
end

-- A process with more waits than these, and a space with more processes, are left out.
local MOST_WAITS, MOST_PROCESSES = 200, 200

-- z: by which tokens takers choose among the entries of a kind with this token; `*` if there are too many to say. kind, token or ''
function OPS.z(argv, i, answer)
  local kind, token, page, known = argv[i], argv[i + 1], { now13 }, {}
  local sids = call('ZRANGE', P .. 'S', 0, MOST_PROCESSES)
  local tooMany = #sids > MOST_PROCESSES
  for j = 1, tooMany and 0 or #sids do
    local waits = P .. 'p' .. sids[j]
    if call('HLEN', waits) > MOST_WAITS then tooMany = true break end
    local packed = call('HVALS', waits)
    for k = 1, #packed do
      local spec = cmsgpack.unpack(packed[k])
      if spec.mode == 't' and spec.kind == kind then
        local has = token == ''
        for t = 1, #spec.indexed do if spec.indexed[t] == token then has = true end end
        for _, tokens in ipairs(has and { spec.indexed, spec.anyOf or {} } or {}) do
          for t = 1, #tokens do
            if tokens[t] ~= token and not known[tokens[t]] then
              known[tokens[t]] = true
              item(page, '', '', tokens[t])
            end
          end
        end
      end
    end
  end
  answer('p', tooMany and '*' or '', concat(page))
  return i + 2
end

-- J: the roots of the kinds that were written, each with the number of its free entries.
function OPS.J(argv, i, answer)
  flushPuts()
  local page, roots = { now13 }, call('HKEYS', P .. 'K')
  for _, own in ipairs({ 'takespace.Request', 'takespace.Task', TICKET, LETTER }) do roots[#roots + 1] = own end
  for j = 1, #roots do item(page, roots[j], textOf(call('ZCARD', P .. 'f@' .. roots[j])), '') end
  local sessions = call('ZCARD', P .. 'Y')
  if sessions > 0 then item(page, SESSION, textOf(sessions), '') end
  answer('p', '', concat(page))
  return i
end
