-- w: writes entries, all or none. how many; then for each: id, lease in ms (-1: for ever), priority, head (see record.lua), signature, body

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

function OPS.w(argv, i, answer)
  local n = tonumber(argv[i])
  i = i + 1
  if isFull() then
    answer('e', 'SPACE_FULL')
    return i + n * 6
  end
  for _ = 1, n do
    local id, lease, priority, head, S = argv[i], tonumber(argv[i + 1]), tonumber(argv[i + 2]), argv[i + 3], argv[i + 4]
    if lease ~= 0 then
      meta.seq = meta.seq + 1
      local score = meta.seq - priority * PRIORITY_STEP
      local expires, ends = now + lease, nil
      if lease < 0 or expires >= 9999999999999 then
        expires, ends = 9999999999999, NEVER
      else
        ends = format('%013.0f', expires)
      end
      local rec = ends .. now13 .. '0' .. format('%+017.0f', score) .. head .. S .. '\n' .. argv[i + 5]
      puts[#puts + 1] = id
      puts[#puts + 1] = rec
      dirty = true
      bucket(id, expires, now)
      available(id, rec, S, score)
    end
    i = i + 6
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
