-- Originals: the former contents of entries that open transactions have changed. Each is an entry of its own, `id^`, that the
-- transaction has taken; the changed entry is one that it has written. So the end of a transaction needs to know of
-- changes only to undo them, and a library that does not know of them loses no entry.

local function originalOf(id) return id .. SIGN.original end

-- Gives a large body another name. `ends`: when the lease of its entry ends, as in a record.
function LATER.moveBody(from, to, ends)
  local body = call('GET', bodyKey(from))
  dropBody(from)
  if not body then return end
  if counters.large then uncountBody(to) end
  if ends == SHARED.never then
    call('SET', bodyKey(to), body)
  else
    local left = tonumber(ends) - now
    call('SET', bodyKey(to), body, 'PX', format('%.0f', (left > 0 and left or 0) + SHARED.bodyGraceMs))
  end
  if counters.large then countBody(to) end
end

-- Hides an entry that a transaction changes, and keeps its contents. One that the transaction has written, or changed
-- before, is hidden.
function LATER.hold(transaction, id, record, info)
  local written = writtenKey(transaction)
  if hasWritten(transaction, id) then return end
  local original, ends = originalOf(id), sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)
  if exists(keys.readers) and endReads(id, info) then call('SREM', marksKey(transaction), MARK.read .. id) end
  unindex(id, info, record)
  call('HSET', keys.entries, original, record)
  if ends ~= SHARED.never then sweepLater(original, tonumber(ends), now) end
  if isLarge(record) then LATER.moveBody(id, original, ends) end
  mark(transaction, MARK.taken, isLarge(record) and SIGN.reference .. original or original)
  mark(transaction, MARK.written, '')
  call('ZADD', written, scoreOf(record), id)
  call('HSET', keys.changed, id, transaction)
  facts[written], facts[keys.changed] = true, true
end

-- An original has the lease of its entry.
function LATER.renewOriginal(id, expiresAt, ends, leaseMs)
  local original = call('HEXISTS', keys.changed, id) == 1 and originalOf(id)
  local record = original and recordOf(original)
  if not record then return end
  call('HSET', keys.entries, original, rehead(record, ends))
  facts.hidden = nil
  sweepLater(original, expiresAt, now)
  if not isLarge(record) then return end
  if leaseMs < 0 then call('PERSIST', bodyKey(original)) else call('PEXPIRE', bodyKey(original), leaseMs + SHARED.bodyGraceMs) end
end

-- Puts an original into the place of its entry. Returns false if either is gone.
local function restore(id)
  local original = originalOf(id)
  local record, changed = recordOf(original), recordOf(id)
  facts.hidden = nil
  call('HDEL', keys.changed, id)
  call('HDEL', keys.entries, original)
  if changed and isLarge(changed) then dropBody(id) end
  if record and changed then
    call('HSET', keys.entries, id, record)
    if isLarge(record) then LATER.moveBody(original, id, sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)) end
    return true
  end
  if record and isLarge(record) then dropBody(original) end
  if changed then call('HDEL', keys.entries, id) end
  return false
end

-- Returns the id of the entry whose original has this id; nil if it is none of this transaction.
local function changedIn(transaction, original)
  if byte(original, -1) ~= SIGN_BYTES.original then return nil end
  local id = sub(original, 1, -2)
  return call('HGET', keys.changed, id) == transaction and id or nil
end

-- Returns whether a transaction that is committed has changed this entry, and forgets it.
function LATER.endChange(transaction, id)
  return call('HGET', keys.changed, id) == transaction and call('HDEL', keys.changed, id) == 1
end

local function unmark(transaction, kind, id) return call('SREM', marksKey(transaction), kind .. id, kind .. SIGN.reference .. id) end

-- The entries of originals that were taken count as taken from now on, those that are gone are left out.
local function undoChanges(transaction, did)
  local taken, both = {}, {}
  for j = 1, #did.both do
    local id = did.both[j]
    if call('HGET', keys.changed, id) ~= transaction then
      both[#both + 1] = id
    else
      -- It was changed, then taken.
      unmark(transaction, MARK.taken, originalOf(id))
      if restore(id) then taken[#taken + 1] = id end
    end
  end
  for j = 1, #did.taken do
    local original = did.taken[j]
    local id = changedIn(transaction, original)
    if not id then
      taken[#taken + 1] = original
    elseif call('ZREM', writtenKey(transaction), id) + unmark(transaction, MARK.writtenAndTaken, id) > 0 then
      if restore(id) then taken[#taken + 1] = id end
    else
      -- The entry was moved to the dead letters.
      call('HDEL', keys.changed, id)
      call('HDEL', keys.entries, original)
      if did.large[original] then dropBody(original) end
    end
  end
  did.taken, did.both = taken, both
end

-- Ends the changes among these effects of a transaction. If it is committed, its originals are gone as all that it has
-- taken, and endChange() tells of its written entries which were changed.
function LATER.endChanges(transaction, did, committed)
  if not committed then return undoChanges(transaction, did) end
  for j = 1, #did.both do LATER.endChange(transaction, did.both[j]) end
  for j = 1, #did.taken do
    local id = changedIn(transaction, did.taken[j])
    if id and not call('ZSCORE', writtenKey(transaction), id) then call('HDEL', keys.changed, id) end
  end
end
