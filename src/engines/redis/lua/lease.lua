-- l, x: leases are renewed and cancelled. An entry that is held can have both done to it, as in JavaSpaces.
-- shares: withdraw

local function leased(id)
  flushPuts()
  local rec = call('HGET', P .. 'e', id)
  if rec and expired(rec) then
    remove(id, rec)
    return nil
  end
  return rec or nil
end

-- l: its lease ends so long from now. id, lease in ms (-1: for ever)
function OPS.l(argv, i, answer)
  local id, lease = argv[i], tonumber(argv[i + 1])
  local rec = leased(id)
  if not rec then
    answer('n')
  elseif lease == 0 then
    remove(id, rec)
    answer('k')
  else
    local expires = now + lease
    if lease < 0 or expires >= 9999999999999 then expires = 9999999999999 end
    call('HSET', P .. 'e', id, format('%013.0f', expires) .. sub(rec, 14))
    local list = bucket(expires, now)
    list[#list + 1] = id
    if isLarge(rec) then
      if lease < 0 then call('PERSIST', P .. 'b' .. id) else call('PEXPIRE', P .. 'b' .. id, lease + BODY_GRACE_MS) end
    end
    answer('k')
  end
  return i + 2
end

-- It is gone now; whoever holds it is told that it works for nobody. False if it was not there.
local function withdraw(id)
  local rec = leased(id)
  if not rec then return false end
  if not remove(id, rec) and isRequest(rec) then
    local all = call('ZRANGE', P .. 'S', 0, -1)
    for j = 1, #all do push(all[j], 'x', id .. '\t', '') end
  end
  return true
end

-- x: it is withdrawn. id
function OPS.x(argv, i, answer)
  answer(withdraw(argv[i]) and 'k' or 'n')
  return i + 1
end
