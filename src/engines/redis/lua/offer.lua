-- Offers: standing takes with credit, which is the number of deliveries that their process has room for.
-- shares: refillOffers

-- `alternatives`: tokens of which a match must have one, separated by |; '' for none.
function OPS.offer(wait, credit, template, alternatives)
  local spec = readTemplate(template, 'take')
  spec.tx = ''
  if alternatives ~= '' then
    spec.anyOf = {}
    for token in gmatch(alternatives, '[^|]+') do spec.anyOf[#spec.anyOf + 1] = token end
  end
  unregister(self, wait)
  register(self, wait, spec, 0)
  credits[wait] = tonumber(credit)
  reply(REPLY.done)
end

function OPS.endOffer(wait)
  unregister(self, wait)
  credits[wait] = nil
  reply(REPLY.done)
end

-- Credit that this call has raised is not in the queue yet.
function OPS.withdrawSlot(wait)
  local more = credits[wait] or 0
  if more > 0 then
    credits[wait] = more > 1 and more - 1 or nil
    return reply(REPLY.done)
  end
  local spec, waiter = specOf(self, wait), self .. ':' .. wait
  -- Without a remembered age it only returns the credit.
  memory.ages[waiter] = nil
  local credit = spec and raiseCredit(spec.key, waiter, 0) or 0
  if credit > 0 then setCredit(spec.key, waiter, credit - 1) end
  reply(credit > 0 and REPLY.done or REPLY.none)
end

-- Adds matches that one search has not reached because of entries without an alternative, or that were not searched
-- for because the alternatives are all that the template names: each alternative has an index. Returns whether there
-- may be more.
local function searchAlternatives(spec, most, accept, hits)
  local seen = {}
  local mayBeMore
  for h = 1, #hits do seen[hits[h][1]] = true end
  for j = 1, #spec.anyOf do
    local one = { mode = 'take', kind = spec.kind, root = spec.root, indexed = { spec.anyOf[j] }, verified = spec.indexed }
    local more, on = search(one, most, nil, accept)
    mayBeMore = mayBeMore or on
    for h = 1, #more do if not seen[more[h][1]] then hits[#hits + 1] = more[h] end end
  end
  keepBest(hits, most)
  return mayBeMore
end

-- Hands free entries to offers whose credit has risen; the rest of the credit goes into the queue.
local function refillOffers()
  local holdsSuspect = exists(keys.suspects) and holdersOfSuspects()[self]
  local function isBearable(_, record)
    if not isSuspect(record) then return true end
    if holdsSuspect then return false end
    holdsSuspect = true
    return true
  end
  for wait, more in pairs(credits) do
    local spec, waiter = specOf(self, wait), self .. ':' .. wait
    local before = spec and raiseCredit(spec.key, waiter, more)
    if before then
      local credit = before + more
      local accept = isBearable
      if spec.anyOf then
        accept = function(id, record) return hasOneOf(spec.anyOf, signatureOf(record)) and isBearable(id, record) end
      end
      local hits, on = {}, true
      if not spec.anyOf or #spec.indexed > 0 then hits, on = search(spec, credit, nil, accept) end
      if on and spec.anyOf then on = searchAlternatives(spec, credit, accept, hits) end
      for h = 1, #hits do
        local id, record = hits[h][1], hits[h][2]
        unindex(id, indexInfo(signatureOf(record)), record)
        if isSuspect(record) then noteSuspect(self, id) end
        push(self, PUSH.delivery .. wait .. '\t', claimFor(self, id), record)
      end
      if before > 0 or #hits < credit then
        local age = setCredit(spec.key, waiter, credit - #hits)
        if not on and facts[keys.suspects] == false then remember('ages', waiter, age) end
      end
    end
  end
end
