-- Leases of entries: renewed and cancelled, even while an entry is held, as in JavaSpaces.
-- shares: withdraw

-- Returns the record; nil if its lease has ended or there is none.
local function leasedRecord(id)
  flushRecords()
  local record = recordOf(id)
  if record and hasExpired(record) then
    remove(id, record)
    return nil
  end
  return record or nil
end

function OPS.renew(id, leaseMs)
  local lease, record = tonumber(leaseMs), leasedRecord(id)
  if not record then
    reply(REPLY.none)
  elseif lease == 0 then
    remove(id, record)
    reply(REPLY.done)
  else
    local expiresAt, ends = leaseEndText(lease)
    local renewed = rehead(record, ends)
    call('HSET', keys.entries, id, renewed)
    sweepLater(id, expiresAt, now)
    local isShorter = ends < sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)
    if isShorter and exists(keys.ifExists) then LATER.leaseShortened(renewed) end
    if exists(keys.changed) then LATER.renewOriginal(id, expiresAt, ends, lease) end
    if isLarge(record) then
      if lease < 0 then call('PERSIST', bodyKey(id)) else call('PEXPIRE', bodyKey(id), lease + SHARED.bodyGraceMs) end
    end
    reply(REPLY.done)
  end
end

-- Removes an entry at once. If a request is held, its holder is told to stop. Returns false if there is no such entry.
local function withdraw(id)
  local record = leasedRecord(id)
  if not record then return false end
  if not remove(id, record) and isRequest(record) then
    local all = call('ZRANGE', keys.presences, 0, -1)
    for j = 1, #all do push(all[j], PUSH.withdrawn, id .. '\t', '') end
  end
  return true
end

function OPS.cancel(id)
  reply(withdraw(id) and REPLY.done or REPLY.none)
end

function OPS.cancelFree(id)
  local record = LATER.visibleById(id, 'take', '')
  if record then remove(id, record) end
  reply(record and REPLY.done or REPLY.none)
end
