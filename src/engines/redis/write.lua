-- w: writes entries, all or none. how many; then for each: id, form, body
-- The form is what many entries share: lease in ms (-1: for ever), priority, head and signature (see record.lua).

-- Whether the server may take no more. Asked at most every 100 ms, because INFO costs what two writes do.
local function isFull()
  local asked, full = floor(meta.full / 2), meta.full % 2 == 1
  if wall - asked < 100 then return full end
  local info = call('INFO', 'memory')
  local used, most = tonumber(info:match('used_memory:(%d+)')), tonumber(info:match('maxmemory:(%d+)'))
  full = most ~= nil and most > 0 and used >= most
  meta.full = wall * 2 + (full and 1 or 0)
  metaDirty = true
  return full
end

local function formOf(argument)
  local form = forms[argument]
  if not form then
    local lease, priority, head, S = argument:match('^(%S+) (%S+) ([^|]+)(.*)$')
    lease, priority = tonumber(lease), tonumber(priority)
    local expires, ends = now + lease, nil
    if lease < 0 or expires >= 9999999999999 then
      expires, ends = 9999999999999, NEVER
    else
      ends = format('%013.0f', expires)
    end
    form = {
      dead = lease == 0, expires = expires, zero = SCORE_ZERO - priority * PRIORITY_STEP,
      before = ends .. now13 .. '0', after = head .. S .. '\n', S = S,
    }
    forms[argument] = form
  end
  return form
end

function OPS.w(argv, i, answer)
  local n = tonumber(argv[i])
  i = i + 1
  if isFull() then
    answer('e', 'SPACE_FULL')
    return i + n * 3
  end
  for _ = 1, n do
    local id, form = argv[i], formOf(argv[i + 1])
    if not form.dead then
      meta.seq = meta.seq + 1
      local score = scoreText(form.zero + meta.seq)
      local rec = form.before .. score .. form.after .. argv[i + 2]
      local at = #puts
      puts[at + 1], puts[at + 2] = id, rec
      dirty = true
      bucket(id, form.expires, now)
      available(id, rec, form.S, score)
    end
    i = i + 3
  end
  metaDirty = true
  answer('k')
  return i
end

-- K: kinds that this process is about to write for the first time; AnyEntry looks under their roots. how many, then a name each
function OPS.K(argv, i, answer)
  local n = tonumber(argv[i])
  for j = 1, n do call('SADD', P .. 'K', argv[i + j]) end
  answer('k')
  return i + n + 1
end
