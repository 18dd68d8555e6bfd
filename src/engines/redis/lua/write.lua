-- Writes: entries into the space.
-- shares: isFull, whyRefused, addRecord, writeEach

-- Returns whether the server is full, or the space has left it. Asked at most every 100 ms: INFO costs as much as two writes.
local function isFull()
  if counters.moving == PHASE.moved then return true end
  local since = wall - counters.askedFull
  if since >= 0 and since < 100 then return counters.full end
  local info = call('INFO', 'memory')
  local used, most = tonumber(info:match('used_memory:(%d+)')), tonumber(info:match('maxmemory:(%d+)'))
  counters.full = most ~= nil and most > 0 and used >= most
  counters.askedFull = wall
  countersChanged = true
  return counters.full
end

-- A large body is stored first, beside the batch. A failover may lose it before its entry is written, and of an entry
-- without a body nothing may be acknowledged.
local function lacksBody(header, id) return header.large and not header.dead and call('EXISTS', bodyKey(id)) == 0 end

-- Returns the code of the error if the entries of an operation cannot be written; nil if they can. `transaction` and
-- `ending`: as isOver().
local function whyRefused(from, last, transaction, ending)
  if isFull() or isOver(from, last, transaction, ending) then return 'SPACE_FULL' end
  for at = from, last, 3 do
    if lacksBody(sharedHeader(argv[at]), argv[at + 1]) then return 'SPACE_UNREACHABLE' end
  end
end

-- An entry that is written under a transaction is visible to that transaction only.
local function writeUnder(transaction, id, header, record, score)
  local key = writtenKey(transaction)
  if facts[key] ~= true then
    mark(transaction, MARK.written, '')
    facts[key] = true
  end
  append(newIndexed, key, score)
  append(newIndexed, key, id)
  facts.hidden = nil
  if #queuesFor(header.info, 'notify') > 0 then announce(header.info, id, record, TRANSITIONS.ofWrite, transaction) end
end

-- Notes a new record, in no index so far. `body` begins with its checksum. Returns the record and its score.
local function addRecord(header, id, body)
  counters.seq = counters.seq + (counters.step or 1)
  local number = header.zero + counters.seq
  local score = scoreText(number)
  local record = header.before .. score .. header.typeAndPlace .. sumWith(header.sum, number) .. header.after .. body
  newRecords[putCount + 1], newRecords[putCount + 2] = id, record
  putCount = putCount + 2
  dirty = true
  local list = header.sweepList
  list[#list + 1] = id
  return record, score
end

local function write(header, id, body, transaction)
  if header.dead then return end
  local record, score = addRecord(header, id, body)
  -- Until now the body had a time to live of its own, so that it would not remain without its entry.
  if header.large then
    if header.bodyTtl then call('PEXPIRE', bodyKey(id), header.bodyTtl) else call('PERSIST', bodyKey(id)) end
    if counters.large then countBody(id) end
  end
  if transaction then return writeUnder(transaction, id, header, record, score) end
  -- A worker or scheduler writes a dead letter for a task that has failed for good.
  if header.info.root == KIND.deadLetter then dropOldestDeadLetter() end
  makeAvailable(id, record, header.info, score, TRANSITIONS.ofWrite)
end

-- Writes the entries of an operation; under a transaction if one is named.
local function writeEach(from, last, transaction)
  for at = from, last, 3 do write(sharedHeader(argv[at]), argv[at + 1], argv[at + 2], transaction) end
end

function OPS.write(header, id, body)
  local parsed = sharedHeader(header)
  if isFull() or bounded and isOver(position, position) then return reply(REPLY.failed, 'SPACE_FULL') end
  if lacksBody(parsed, id) then return reply(REPLY.failed, 'SPACE_UNREACHABLE') end
  write(parsed, id, body)
  reply(REPLY.done)
end

-- Two records of one id would be one record in the indexes and under a claim. A request with an outcome was run.
function OPS.writeAgain(header, id, body)
  flushRecords()
  if call('HEXISTS', keys.entries, id) == 0 and call('HEXISTS', ownKeys.outcomes, id) == 0 then
    return OPS.write(header, id, body)
  end
  sharedHeader(header)
  reply(REPLY.done)
end

function OPS.writeAll(from, last)
  local why = whyRefused(from, last)
  if why then return reply(REPLY.failed, why) end
  writeEach(from, last)
  reply(REPLY.done)
end

function OPS.writeUnder(transaction, from, last)
  if not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local why = whyRefused(from, last, transaction)
  if why then return reply(REPLY.failed, why) end
  writeEach(from, last, transaction)
  reply(REPLY.done)
end

-- Notes the fields that a process is about to index under a root: * (every single value) or :field:field:. Stores the
-- fields that all writers of the root index, because a search can use no others; AnyEntry looks under every root. The
-- stored text begins with s if structures, and fields together, are not indexed by all writers.
function OPS.announceKind(root, index)
  local kept = call('HGET', keys.kinds, root)
  local single, fields = index == '*', index
  if kept then
    single = single or byte(kept) == 115
    local before = sub(kept, 2)
    if fields == '*' then
      fields = before
    elseif before ~= '*' then
      fields = ':'
      for field in gmatch(index, '[^:]+') do
        if find(before, ':' .. field .. ':', 1, true) then fields = fields .. field .. ':' end
      end
    end
  end
  local policy = (single and 's' or '-') .. fields
  if policy ~= kept then call('HSET', keys.kinds, root, policy) end
  reply(REPLY.done)
end

-- Notes the field that decides the partition of a kind: the records of its entries do not say which of their fields it is.
function OPS.announceKey(kind, field)
  call('HSET', keys.keyed, kind, field)
  reply(REPLY.done)
end
