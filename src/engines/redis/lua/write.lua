-- w: writes entries, all or none, with one answer. how many; then for each: form, id, body
-- W: the same, with an answer for each
-- A form that is empty is the one before it.
-- The form is what many entries share: lease in ms (-1: for ever), priority, head and signature (see record.lua).
-- shares: isFull, writeEach

-- Whether the server may take no more. Asked at most every 100 ms, because INFO costs what two writes do.
local function isFull()
  local since = wall - meta.askedFull
  if since >= 0 and since < 100 then return meta.full end
  local info = call('INFO', 'memory')
  local used, most = tonumber(info:match('used_memory:(%d+)')), tonumber(info:match('maxmemory:(%d+)'))
  meta.full = most ~= nil and most > 0 and used >= most
  meta.askedFull = wall
  metaDirty = true
  return meta.full
end

-- What is written under a transaction is seen by that one only.
local function writeUnder(tid, id, form, rec, score)
  if facts['u' .. tid] ~= true then
    mark(tid, 'w', '')
    facts['u' .. tid] = true
  end
  local key = P .. 'u' .. tid
  append(adds, key, score)
  append(adds, key, id)
  if #linesFor(form.c, 'n') > 0 then announce(form.c, id, rec, 'wva', tid) end
end

local function write(id, form, body, tid)
  if form.dead then return end
  meta.seq = meta.seq + 1
  local score = scoreText(form.zero + meta.seq)
  local rec = form.before .. score .. form.after .. body
  puts[putCount + 1], puts[putCount + 2] = id, rec
  putCount = putCount + 2
  dirty = true
  local ids = form.bucket
  ids[#ids + 1] = id
  -- Until now its body had a time to live, lest it stay for ever without its entry.
  if form.large then
    if form.bodyTtl then call('PEXPIRE', P .. 'b' .. id, form.bodyTtl) else call('PERSIST', P .. 'b' .. id) end
  end
  if form.large and meta.large then countBody(id) end
  if tid then return writeUnder(tid, id, form, rec, score) end
  -- A worker, or a scheduler, may set aside what has failed for good.
  if form.c.root == LETTER then dropOldest() end
  available(id, rec, form.c, score, 'wva')
end

-- Entries as they stand in an operation, three values each; under a transaction if one is named.
local function writeEach(argv, from, last, tid)
  for at = from, last, 3 do write(argv[at + 1], formOf(argv[at]), argv[at + 2], tid) end
  metaDirty = true
end

function OPS.w(argv, i, answer)
  local last = i + tonumber(argv[i]) * 3
  if isFull() or isOver(argv, i + 1, last) then
    answer('e', 'SPACE_FULL')
  else
    writeEach(argv, i + 1, last)
    answer('k')
  end
  return last + 1
end

function OPS.W(argv, i, answer)
  local last = i + tonumber(argv[i]) * 3
  local full = isFull()
  for at = i + 1, last, 3 do
    if full or isOver(argv, at, at) then
      answer('e', 'SPACE_FULL')
    else
      write(argv[at + 1], formOf(argv[at]), argv[at + 2])
      answer('k')
    end
  end
  metaDirty = true
  return last + 1
end

-- V: the same as w, under a transaction. transaction, then as w
function OPS.V(argv, i, answer)
  local tid, last = argv[i], i + 1 + tonumber(argv[i + 1]) * 3
  if not live(tid) then
    answer('T')
  elseif isFull() or isOver(argv, i + 2, last, tid) then
    answer('e', 'SPACE_FULL')
  else
    writeEach(argv, i + 2, last, tid)
    answer('k')
  end
  return last + 1
end

-- K: a root under which this process is about to write, and what it indexes there: * (every single value) or :field:field:
-- Kept is what all who write under the root index, because only by that can a search go; AnyEntry looks under every root.
function OPS.K(argv, i, answer)
  local root, policy = argv[i], argv[i + 1]
  local kept = call('HGET', P .. 'K', root)
  local single, fields = policy == '*', policy
  if kept then
    single = single or byte(kept) == 115
    local before = sub(kept, 2)
    if fields == '*' then
      fields = before
    elseif before ~= '*' then
      fields = ':'
      for field in gmatch(policy, '[^:]+') do
        if find(before, ':' .. field .. ':', 1, true) then fields = fields .. field .. ':' end
      end
    end
  end
  local text = (single and 's' or '-') .. fields
  if text ~= kept then call('HSET', P .. 'K', root, text) end
  answer('k')
  return i + 2
end
