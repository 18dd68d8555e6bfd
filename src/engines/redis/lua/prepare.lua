-- Transactions over several partitions: one partition decides, the others are prepared for its decision
-- (docs/decisions/0027). What is left unfinished is shown to whichever process calls, which asks the other partition.

-- A prepared transaction ends neither with its lease nor with its presence. It has this score in the set of
-- transactions.
local PREPARED = SHARED.neverMs
-- What is unfinished for so long is shown to a process, and again after the same time: the process may die as well.
local SHOWN_AFTER_MS = 1000
-- Most of each kind that one call shows.
local MOST_SHOWN = 16

-- `member`: a transaction of this partition, another partition, and the transaction there.
local function noteUnfinished(key, member)
  call('ZADD', key, now + SHOWN_AFTER_MS, member)
  counters.spanning, countersChanged = true, true
  dueAt(now + SHOWN_AFTER_MS)
end

-- A library of layout 4 would end a prepared transaction with its presence.
local PREPARED_SINCE = 5

function OPS.prepare(transaction, decider)
  local refusal = LATER.refusalBelow(PREPARED_SINCE)
  if refusal then return reply(REPLY.failed, refusal) end
  if not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  call('ZADD', keys.transactions, PREPARED, transaction)
  facts[transaction] = PREPARED
  noteUnfinished(keys.prepared, transaction .. ' ' .. decider)
  reply(REPLY.done)
end

-- Commits, and records in the same step which transactions of other partitions have to be committed. `others`: a partition
-- and a transaction of each, separated by commas.
function OPS.decide(transaction, others)
  if not closeTransaction(transaction) then return reply(REPLY.transactionEnded) end
  for other in gmatch(others, '[^,]+') do noteUnfinished(keys.decisions, transaction .. ' ' .. other) end
  reply(endTransaction(transaction, true) and REPLY.askAgain or REPLY.done)
end

-- Does nothing if the transaction was settled before.
function OPS.settlePrepared(transaction, decider, committed)
  local hasMore
  if call('ZREM', keys.prepared, transaction .. ' ' .. decider) == 1 then
    call('ZREM', keys.transactions, transaction)
    facts[transaction] = 0
    hasMore = endTransaction(transaction, committed == '1')
  end
  reply(hasMore and REPLY.askAgain or REPLY.done)
end

function OPS.decisionOn(transaction, other)
  if call('ZSCORE', keys.decisions, transaction .. ' ' .. other) then return reply(REPLY.done) end
  reply(isOpen(transaction) and REPLY.waiting or REPLY.none)
end

function OPS.forgetDecision(transaction, other)
  call('ZREM', keys.decisions, transaction .. ' ' .. other)
  reply(REPLY.done)
end

local function show(key, kind)
  local due = call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, MOST_SHOWN)
  for j = 1, #due do
    push(self, kind .. '\t', '', due[j])
    call('ZADD', key, now + SHOWN_AFTER_MS, due[j])
  end
end

-- Shows the calling process what is unfinished, if there is anything.
function LATER.showUnfinished()
  if not counters.spanning then return end
  show(keys.prepared, PUSH.prepared)
  show(keys.decisions, PUSH.decided)
  if call('EXISTS', keys.prepared, keys.decisions) == 0 then counters.spanning = nil end
end
