-- Finds: reads and takes, immediate or waiting.
-- shares: endVainWaits

-- The mode in which a find waits.
local MODE_OF = { [FIND.take] = 'take', [FIND.takeIfExists] = 'take', [FIND.read] = 'read', [FIND.readIfExists] = 'read' }

local function replyFound(hit, spec)
  local id, record = hit[1], hit[2]
  if spec.tx ~= '' then
    if spec.mode == 'take' then
      takeUnder(spec.tx, id, record)
    elseif not hasWritten(spec.tx, id) then
      lockRead(id, record, indexInfo(signatureOf(record)), spec.tx)
    end
    return reply(REPLY.found, id, '', record)
  end
  if spec.mode == 'read' then return reply(REPLY.found, id, '', record) end
  unindex(id, indexInfo(signatureOf(record)), record)
  reply(REPLY.found, id, claimFor(self, id), record)
end

local function leaseEndOf(record) return sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to) end

local function specFor(mode, transaction, template)
  local spec = readTemplate(template, MODE_OF[mode])
  spec.tx = transaction
  spec.ifExists = (mode == FIND.takeIfExists or mode == FIND.readIfExists) or nil
  return spec
end

-- Without a match the wait goes into its queue, if one is named. A wait with conditions is refused beside processes that
-- would not look for it when they write. One that waits only for what a transaction holds is told when the lease of a
-- held match ends: no call may come by then.
function OPS.find(mode, wait, transaction, template)
  local spec = specFor(mode, transaction, template)
  if transaction ~= '' and not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local hits, after = searchVisible(spec, 1)
  -- A find that searches again for its transaction, or when a lease has ended, is in its queue already.
  local isQueued = wait ~= '' and (transaction ~= '' or spec.ifExists) and specOf(self, wait)
  if hits[1] then
    if isQueued then unregister(self, wait) end
    return replyFound(hits[1], spec)
  end
  local held = wait ~= '' and spec.ifExists and not after and conflictWith(spec)
  if wait ~= '' and spec.ifExists and not after and not held then
    if isQueued then unregister(self, wait) end
    return reply(REPLY.none)
  end
  local refusal = wait ~= '' and LATER.conditional.refusalOf(spec)
  if refusal then return reply(REPLY.failed, refusal) end
  if wait ~= '' and not isQueued then register(self, wait, spec, 1) end
  if after then reply(REPLY.more, after)
  elseif held then reply(REPLY.waitingUntil, leaseEndOf(held))
  else reply(wait ~= '' and REPLY.waiting or REPLY.none)
  end
end

function OPS.continueFind(after, mode, wait, transaction, template)
  local spec = specFor(mode, transaction, template)
  if transaction ~= '' and not isOpen(transaction) then
    unregister(self, wait)
    return reply(REPLY.transactionEnded)
  end
  if wait ~= '' and not specOf(self, wait) then return reply(REPLY.waiting) end
  local hits, on = searchVisible(spec, 1, after)
  if hits[1] then
    if wait ~= '' then unregister(self, wait) end
    replyFound(hits[1], spec)
  elseif on then
    reply(REPLY.more, on)
  elseif spec.ifExists and wait ~= '' then
    local held = conflictWith(spec)
    if held then return reply(REPLY.waitingUntil, leaseEndOf(held)) end
    unregister(self, wait)
    reply(REPLY.none)
  else
    reply(wait ~= '' and REPLY.waiting or REPLY.none)
  end
end

-- Returns the contents of a signature as far as its kinds: many entries have the same.
function LATER.kindsIn(signature) return indexInfo(sub(signature, 1, find(signature, '|[^' .. SIGN.kind .. ']') - 1)) end

-- Returns the record of an entry that a find without waiting may have; nil if there is none. The framework's own kinds are
-- not found by their ids.
function LATER.visibleById(id, mode, transaction)
  flushRecords()
  local record = recordOf(id)
  if not record then return nil end
  if hasExpired(record) then
    remove(id, record)
    return nil
  end
  local info = LATER.kindsIn(signatureOf(record))
  if find(info.root, KIND.own, 1, true) == 1 then return nil end
  if transaction ~= '' and hasWritten(transaction, id) or call('ZSCORE', info.index[1], id) then return record end
  local readers = exists(keys.readers) and call('HGET', keys.readers, id)
  return readers and (mode == 'read' or readers == ',' .. transaction .. ',') and record or nil
end

function OPS.findById(mode, id, transaction)
  if transaction ~= '' and not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local own = MODE_OF[mode]
  local record = LATER.visibleById(id, own, transaction)
  if not record then return reply(REPLY.none) end
  replyFound({ id, record }, { mode = own, tx = transaction })
end

-- Returns whether a match is free for the transaction of a wait; its owner has been told to search again.
local function mayHave(spec) return spec.tx ~= '' and isOpen(spec.tx) and searchVisible(spec, 1)[1] end

-- Ends the waits for entries held by transactions if no transaction holds a match any longer.
local function endVainWaits()
  facts.hidden = nil
  local waiting = call('SMEMBERS', keys.ifExists)
  for j = 1, #waiting do
    local who = parsedWaiter(waiting[j])
    local spec = specOf(who.presence, who.wait)
    if not spec then
      call('SREM', keys.ifExists, waiting[j])
    elseif not conflictWith(spec) and not mayHave(spec) then
      unregister(who.presence, who.wait)
      push(who.presence, PUSH.missed .. who.wait .. '\t', '', '')
    end
  end
end

-- The reply `none` means that the wait was served before, and that the push has been sent.
function OPS.endWait(wait)
  reply(unregister(self, wait) and REPLY.done or REPLY.none)
end
