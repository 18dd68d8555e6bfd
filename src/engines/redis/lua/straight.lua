-- The straight way: runs of writes that offers wait for, without the calls per entry that the general way makes.
--
-- In a busy space nearly all writes are requests of one header to one queue of offers. What they share is looked up once
-- for all; what is left per entry is one record, one claim, one item of a push. The effects are those of the general
-- way (write.lua, claim.lua), in the same order. Left to the general way is whatever is different:
-- - a call that keeps to bounds, a full server, entries with large bodies, dead letters,
-- - entries that readers, registrations, or waits of several shapes wait for,
-- - a taker that is no offer: a plain take leaves its queue, and its transaction may have ended.
-- shares: writeStraight

-- Returns the only queue of takers of a signature; nil if there is none, or more than that to do.
local function onlyQueue(info)
  local takers = queuesFor(info, 'take')
  if #takers ~= 1 or takers[1][2] or #queuesFor(info, 'notify') > 0 or #queuesFor(info, 'read') > 0 then return nil end
  return takers[1][1]
end

-- Writes entries of one header from a place in the arguments on, as long as offers have credit. Returns their number.
local function writeStraight(at, count)
  local header = sharedHeader(argv[at])
  local info = header.info
  if bounded or header.dead or header.large or info.root == KIND.deadLetter or isFull() then return 0 end
  local key = onlyQueue(info)
  if not key then return 0 end
  local before, typeAndPlace, after = header.before, header.typeAndPlace, header.after
  local sum, zero, step, swept, n = header.sum, header.zero, counters.step or 1, header.sweepList, 0
  local sweptBefore = #swept
  repeat
    local queue, place = bestIn(key)
    local waiter = place and queue.order[place]
    local who = waiter and parsedWaiter(waiter)
    if not who or who.once then return n end
    useCredit(queue, place)
    local id = argv[at + 1]
    counters.seq = counters.seq + step
    local number = zero + counters.seq
    local record = before .. scoreText(number) .. typeAndPlace .. sumWith(sum, number) .. after .. argv[at + 2]
    newRecords[putCount + 1], newRecords[putCount + 2] = id, record
    putCount, dirty = putCount + 2, true
    n, at = n + 1, at + 3
    swept[sweptBefore + n] = id
    push(who.presence, who.delivery, claimFor(who.presence, id), record)
    reply(REPLY.done)
  until n == count or argv[at] ~= ''
  return n
end
