-- Tickets: the outcome of a request is kept in its ticket, which turns from pending into a result.
--
-- A ticket is an entry. The body of a pending ticket is the id of the request that leads to its outcome, a blank, the
-- presence that waits for it or -, a newline, and the last progress. The requester of such a request is SHARED.kept.
-- The signature of a ticket does not have the id again; waits for a ticket name it by a token.

-- Returns the ticket that a request settles. The id of the request is the ticket's, a dot, and more.
local function ticketOf(id) return sub(id, 1, (find(id, '.', 1, true) or 1) - 1) end

-- Returns the contents of a signature with the token that waits for the ticket name.
local function ticketInfo(ticket, signature)
  local at = find(signature, '|;|', 1, true)
  return indexInfo(sub(signature, 1, at) .. SHARED.ticketToken .. ticket .. sub(signature, at))
end

LATER.ticketInfo = ticketInfo

-- Returns the record of a ticket, the contents of its signature, and whether it is pending; nil if there is none.
local function readTicket(ticket)
  flushRecords()
  local record = recordOf(ticket)
  if record and hasExpired(record) then
    remove(ticket, record)
    record = nil
  end
  if not record then return nil end
  local info = ticketInfo(ticket, signatureOf(record))
  return record, info, info.kinds[1] == KIND.pending
end

-- Returns the request that settles a pending ticket, the presence that waits for it, and its progress.
local function pendingState(record)
  local from = find(record, '\n', RECORD.signature.from, true) + 1 + CHECKSUM.length
  local blank, stop = find(record, ' ', from, true), find(record, '\n', from, true)
  if not (blank and stop) then return '', '-', '' end
  return sub(record, from, blank - 1), sub(record, blank + 1, stop - 1), sub(record, stop + 1)
end

LATER.pendingState = pendingState

-- Returns the record of a pending ticket with another body.
local function withBody(record, body)
  return madeRecord(sub(record, 1, RECORD.place.to), signatureOf(record), body)
end

local function pendingBody(request, waiting, progress) return request .. ' ' .. waiting .. '\n' .. progress end

local function replace(ticket, before, record)
  countTicket(#record - #before, indexInfo(signatureOf(record)).tokens.owner)
  call('HSET', keys.entries, ticket, record)
end

-- Turns a pending ticket into a result of this kind, and makes it available to finds. `outcome`: like that of a
-- request, or '' for a result without a body.
local function conclude(ticket, record, info, kind, outcome)
  local score, place, body = scoreOf(record), PLACE.inline, ''
  local keptMs = tonumber(sub(info.tokens.kept, 8))
  if byte(outcome) == OUTCOME_BYTES.completedByReference then
    local from, to = bodyKey(sub(outcome, 2)), bodyKey(ticket)
    -- Without its body the outcome is lost.
    if call('EXISTS', from) == 1 then
      call('RENAME', from, to)
      call('PEXPIRE', to, keptMs + SHARED.bodyGraceMs)
      countTicket(call('STRLEN', to), info.tokens.owner)
      if counters.large then countBody(ticket) end
      place = PLACE.reference
    else
      kind = KIND.lost
    end
  else
    body = sub(outcome, 2)
  end
  local signature = '|@' .. kind .. '|@' .. KIND.result .. '|@' .. KIND.ticket .. '|;|' .. info.tokens.print .. '|'
    .. (info.tokens.owner and info.tokens.owner .. '|' or '')
  local expiresAt = now + keptMs
  local head = format('%013.0f', expiresAt) .. sub(record, RECORD.writtenAt.from, RECORD.score.to) .. RECORD_TYPE.entry .. place
  local result = madeRecord(head, signature, body)
  replace(ticket, record, result)
  -- The sweep has the ticket in one of its lists since it was opened, and looks at it when its age has doubled.
  local age = now - tonumber(sub(record, RECORD.writtenAt.from, RECORD.writtenAt.to))
  if keptMs < age or keptMs < 8000 then sweepLater(ticket, expiresAt, now) end
  makeAvailable(ticket, result, ticketInfo(ticket, signature), score, TRANSITIONS.ofWrite)
end

local RESULT_OF = {
  [OUTCOME.completed] = KIND.completed,
  [OUTCOME.completedByReference] = KIND.completed,
  [OUTCOME.lost] = KIND.lost,
  [OUTCOME.exhausted] = KIND.exhausted,
}

-- Settles the ticket of a request whose outcome is kept (claim.lua).
function LATER.settleFor(id, outcome)
  local ticket = ticketOf(id)
  local record, info, isPending = readTicket(ticket)
  if isPending and pendingState(record) == id then
    return conclude(ticket, record, info, RESULT_OF[sub(outcome, 1, 1)], outcome)
  end
  if byte(outcome) == OUTCOME_BYTES.completedByReference then dropOutcomeBody(sub(outcome, 2)) end
end

-- Returns whether this many bytes more are too much for all tickets, even after a sweep of expired entries.
local function exceedsTicketBytes(bytes, most)
  if (counters.tickets or 0) + bytes > most and not facts.swept then sweepNow() end
  return (counters.tickets or 0) + bytes > most
end

-- Returns whether this many bytes more are too much for the owner of tickets: they may take as much as is left for the
-- others. So whoever comes first leaves half, and there is always something left for the next.
local function exceedsShare(bytes, most, owner)
  local own = owner and tonumber(call('HGET', keys.ticketBytes, owner) or 0)
  return own and own + bytes > most - (counters.tickets or 0)
end

-- Joins an existing ticket. It must be of the same request, by its fingerprint.
local function joinTicket(ticket, record, info, isPending, header, request)
  if info.root ~= KIND.ticket or info.tokens.print ~= header.info.tokens.print then return reply(REPLY.differs) end
  if not isPending then return reply(REPLY.joined) end
  local id, waiting, progress = pendingState(record)
  -- Asked again after a lost reply.
  if id == request then return reply(REPLY.done) end
  if waiting ~= '-' and isPresent(waiting) then return reply(REPLY.busy) end
  replace(ticket, record, withBody(record, pendingBody(id, self, progress)))
  reply(REPLY.joined)
end

-- Replies `full` or `shareFull` if tickets have no room, `done` if the ticket was opened; `joined` if it existed, and
-- is settled or no other process waits for it;
-- `busy` if one does; `differs` if it is of another request. While the space moves, new ones are opened elsewhere.
function OPS.openTicket(maxBytes, from, last)
  local header, ticket, request = sharedHeader(argv[from]), argv[from + 1], argv[last - 1]
  local record, info, isPending = readTicket(ticket)
  if record then return joinTicket(ticket, record, info, isPending, header, request) end
  if counters.moving then return reply(REPLY.failed, 'SPACE_MOVES') end
  local most, owner = tonumber(maxBytes), header.info.tokens.owner
  local size = header.size + CHECKSUM.length + #request + 24 + SHARED.besideOutcome
  if exceedsTicketBytes(size, most) then return reply(REPLY.full) end
  if exceedsShare(size, most, owner) then return reply(REPLY.shareFull) end
  local why = whyRefused(from, last)
  if why then return reply(REPLY.failed, why) end
  -- No find waits for a pending ticket; registrations are told of its progress.
  local pending = addRecord(header, ticket, sealed(header.info.text, pendingBody(request, self, '')))
  counters.ticketCount = (counters.ticketCount or 0) + 1
  countTicket(#pending + SHARED.besideOutcome, owner)
  writeEach(last - 2, last)
  reply(REPLY.done)
end

-- `outcome`: like that of a request; '' cancels the ticket and withdraws its request.
function OPS.settleTicket(ticket, outcome)
  local record, info, isPending = readTicket(ticket)
  if isPending then
    local request = pendingState(record)
    conclude(ticket, record, info, outcome == '' and KIND.cancelled or KIND.completed, outcome)
    if outcome == '' then withdraw(request) end
    reply(REPLY.done)
  else
    if byte(outcome) == OUTCOME_BYTES.completedByReference then dropOutcomeBody(sub(outcome, 2)) end
    reply(REPLY.none)
  end
end

-- `by`: the reporting request, if it must be the one that settles the ticket.
local function noteProgress(ticket, progress, by)
  local record, info, isPending = readTicket(ticket)
  if not isPending then return false end
  local request, waiting = pendingState(record)
  if by and request ~= by then return false end
  replace(ticket, record, withBody(record, pendingBody(request, waiting, progress)))
  if #queuesFor(info, 'notify') > 0 then
    announce(info, ticket, withBody(record, progress), TRANSITIONS.ofWrite)
  end
  return true
end

function OPS.setProgress(ticket, progress)
  reply(noteProgress(ticket, progress) and REPLY.done or REPLY.none)
end

function OPS.reportProgress(claim, progress)
  local id = idOf(claim)
  local held = call('SISMEMBER', ownKeys.claims, claim) == 1 or call('SISMEMBER', ownKeys.claims, started(claim)) == 1
  reply(held and noteProgress(ticketOf(id), progress, id) and REPLY.done or REPLY.none)
end

function OPS.leaveTicket(ticket)
  local record, _, isPending = readTicket(ticket)
  if isPending then
    local request, waiting, progress = pendingState(record)
    if waiting == self then replace(ticket, record, withBody(record, pendingBody(request, '-', progress))) end
  end
  reply(REPLY.done)
end

-- Replies the state of a ticket with the deaths of its holders, the remaining ms of its lease, and its request; and
-- its progress.
function OPS.lookAtTicket(ticket)
  local record, info, isPending = readTicket(ticket)
  if not record or info.root ~= KIND.ticket then return reply(REPLY.none) end
  local left = format(' %.0f ', tonumber(sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)) - now)
  if not isPending then return reply(REPLY.state, TICKET_STATE.settled .. '0' .. left, '') end
  local id, _, progress = pendingState(record)
  local request = recordOf(id)
  local state = TICKET_STATE.absent .. '0'
  if request and not hasExpired(request) then
    local isFree = call('ZSCORE', indexInfo(signatureOf(request)).index[1], id)
    state = (isFree and TICKET_STATE.waiting or TICKET_STATE.running) .. sub(request, RECORD.deaths.from, RECORD.deaths.to)
  end
  reply(REPLY.state, state .. left .. id, progress)
end

-- Entries that one call looks through, about.
local LOOKED_THROUGH = 200

-- Replies the tickets that have an outcome among some entries, and where the next call goes on ('' at the end).
function OPS.settledTickets(cursor)
  flushRecords()
  local page, got = { nowText }, call('HSCAN', keys.entries, cursor, 'COUNT', LOOKED_THROUGH)
  for j = 1, #got[2], 2 do
    local id, record = got[2][j], got[2][j + 1]
    if find(record, KIND.ticket, 1, true) and isSound(record) and not hasExpired(record) then
      local info = indexInfo(signatureOf(record))
      if info.root == KIND.ticket and info.kinds[1] ~= KIND.pending then item(page, id, '', record) end
    end
  end
  reply(REPLY.page, got[1] == '0' and '' or got[1], concat(page))
end
