-- n, N, U, E: registrations, which are told of entries. Each template of one stands in a line of its own, as `wid.number`.
-- shares: dropRegistration, dueAt

local function registrationOf(sid, wid) return sid .. ':' .. wid end

local function dropRegistration(sid, wid)
  local parts = tonumber(call('HGET', P .. 'q' .. sid, wid .. '#') or 0)
  local spec = parts > 0 and specOf(sid, wid .. '.1')
  if spec and spec.tx ~= '' then call('SREM', P .. 't' .. spec.tx, 'n' .. wid) end
  for j = 1, parts do unregister(sid, wid .. '.' .. j) end
  call('HDEL', P .. 'q' .. sid, wid, wid .. '#')
  return call('ZREM', P .. 'N', registrationOf(sid, wid)) == 1
end

-- The next moment at which something other than an entry ends.
local function dueAt(ends)
  if meta.due == 0 or ends < meta.due then
    meta.due = ends
    metaDirty = true
  end
end

-- n: tells of entries from now on. wid (n or x: with a transaction; then w, v or a), number before the first, lease in ms, transaction or '',
-- how many templates, these
function OPS.n(argv, i, answer)
  local wid, lease, tid, parts = argv[i], tonumber(argv[i + 2]), argv[i + 3], tonumber(argv[i + 4])
  local at, known = i + 5, tid == '' or live(tid)
  if known then dropRegistration(SID, wid) end
  for j = 1, parts do
    local spec
    spec, at = readSpec(argv, at, 'n')
    spec.tx = tid
    if known then register(SID, wid .. '.' .. j, spec, 1) end
  end
  if not known then
    answer('T')
    return at
  end
  local ends = lease < 0 and 9999999999999 or now + lease
  call('HSET', P .. 'q' .. SID, wid, argv[i + 1], wid .. '#', parts)
  call('ZADD', P .. 'N', ends, registrationOf(SID, wid))
  if tid ~= '' then mark(tid, 'n', wid) end
  dueAt(ends)
  answer('k')
  return at
end

-- N: its lease ends so long from now. wid, lease in ms (-1: for ever)
function OPS.N(argv, i, answer)
  local lease = tonumber(argv[i + 1])
  local name, ends = registrationOf(SID, argv[i]), lease < 0 and 9999999999999 or now + lease
  if call('ZSCORE', P .. 'N', name) then
    call('ZADD', P .. 'N', ends, name)
    dueAt(ends)
    answer('k')
  else
    answer('n')
  end
  return i + 2
end

-- U: it is told nothing more. wid
function OPS.U(argv, i, answer)
  answer(dropRegistration(SID, argv[i]) and 'k' or 'n')
  return i + 1
end

-- E: the number of its last event, by which its owner knows after a reconnect what it has missed. wid
function OPS.E(argv, i, answer)
  local last = call('ZSCORE', P .. 'N', registrationOf(SID, argv[i])) and call('HGET', P .. 'q' .. SID, argv[i])
  if last then answer('m', last) else answer('n') end
  return i + 1
end
