-- Tickets: what becomes of a request is kept in the place of its ticket, which turns from pending into a result.
--
-- A ticket is an entry. Pending, its body is the id of the entry that leads to its outcome, a blank, the session that waits for it or -, a
-- newline, and what was noted last. The request's own session is KEPT: what it comes to is told to the ticket.

local PENDING = 'takespace.Pending'

-- The ticket that the outcome of this request settles. The id of the request is the ticket's, a dot, and something of its own.
local function ticketIn(id) return sub(id, 1, (find(id, '.', 1, true) or 1) - 1) end

-- Its record, if it is there; pending, if nothing has become of it.
local function ticketAt(tid)
  flushPuts()
  local rec = call('HGET', P .. 'e', tid)
  if rec and expired(rec) then
    remove(tid, rec)
    rec = nil
  end
  if not rec then return nil end
  local c = sig(signatureOf(rec))
  return rec, c, c.kinds[1] == PENDING
end

-- Which request settles it, who waits, what was noted.
local function stateOf(rec)
  local from = find(rec, '\n', 46, true) + 1
  local blank, stop = find(rec, ' ', from, true), find(rec, '\n', from, true)
  return sub(rec, from, blank - 1), sub(rec, blank + 1, stop - 1), sub(rec, stop + 1), from
end

local function replace(tid, before, rec)
  countTicket(#rec - #before)
  call('HSET', P .. 'e', tid, rec)
end

-- It has its outcome: `c` and a body, `C` and the claim under whose name the body stands, or nothing. Who waits for it is shown it.
local function conclude(tid, rec, c, kind, outcome)
  local score, place, body = scoreOf(rec), '.', ''
  local kept = tonumber(sub(c.tokens.kept, 8))
  for i = 1, #c.index do call('ZREM', c.index[i], tid) end
  if byte(outcome) == 67 then
    local from, to = P .. 'b' .. sub(outcome, 2), P .. 'b' .. tid
    -- Without its body there is nothing to be had of it.
    if call('EXISTS', from) == 1 then
      call('RENAME', from, to)
      call('PEXPIRE', to, kept + BODY_GRACE_MS)
      countTicket(call('STRLEN', to))
      if meta.large then countBody(tid) end
      place = '@'
    else
      kind = 'Lost'
    end
  else
    body = sub(outcome, 2)
  end
  local S = '|@takespace.' .. kind .. '|@takespace.Result|@' .. TICKET .. '|' .. c.tokens.ticket .. '|;|' .. c.tokens.print .. '|'
  local ends = now + kept
  local result = format('%013.0f', ends) .. sub(rec, 14, 43) .. 'e' .. place .. S .. '\n' .. body
  replace(tid, rec, result)
  local list = bucket(ends, now)
  list[#list + 1] = tid
  available(tid, result, sig(S), score, 'wva')
end

local KINDS = { [67] = 'Completed', [99] = 'Completed', [108] = 'Lost', [120] = 'Exhausted' }

-- What became of a request that is kept; claim.lua tells it.
function LATER.keep(id, outcome)
  local tid = ticketIn(id)
  local rec, c, pending = ticketAt(tid)
  if pending and stateOf(rec) == id then return conclude(tid, rec, c, KINDS[byte(outcome)], outcome) end
  if byte(outcome) == 67 then dropOutcome(sub(outcome, 2)) end
end

-- Whether a ticket of so many bytes is too much, even when what has ended is swept.
local function overTicketBytes(bytes, most)
  if (meta.tickets or 0) + bytes > most and not facts.swept then
    facts.swept = true
    flushPuts()
    sweep(MOST_SWEPT)
  end
  return (meta.tickets or 0) + bytes > most
end

-- t: opens a ticket together with an entry, unless it is there. most bytes of all tickets, then as w for the two of them: form, id, body each
-- Answers k if it was opened, j if it was there and its outcome is, or nobody else waits for that; b if somebody does, d if it is another.
function OPS.t(argv, i, answer)
  local form, tid, rid = formOf(argv[i + 1]), argv[i + 2], argv[i + 5]
  local rec, c, pending = ticketAt(tid)
  if rec then
    if c.root ~= TICKET or c.tokens.print ~= form.c.tokens.print then
      answer('d')
    elseif not pending then
      answer('j')
    else
      local id, owner, note, from = stateOf(rec)
      if id == rid then
        answer('k')
      elseif owner ~= '-' and alive(owner) then
        answer('b')
      else
        replace(tid, rec, sub(rec, 1, from - 1) .. id .. ' ' .. SID .. '\n' .. note)
        answer('j')
      end
    end
  elseif isFull() or overTicketBytes(#form.before + 16 + #form.after + #rid + 24, tonumber(argv[i])) or isOver(argv, i + 1, i + 6) then
    answer('e', 'SPACE_FULL')
  else
    local state = rid .. ' ' .. SID .. '\n'
    meta.seq = meta.seq + 1
    local score = scoreText(form.zero + meta.seq)
    local ticket = form.before .. score .. form.after .. state
    countTicket(#ticket)
    puts[putCount + 1], puts[putCount + 2] = tid, ticket
    putCount = putCount + 2
    form.bucket[#form.bucket + 1] = tid
    -- Nobody waits for one that is pending; of notes is told who asks for these.
    for j = 1, #form.c.index do
      append(adds, form.c.index[j], score)
      append(adds, form.c.index[j], tid)
    end
    dirty = true
    writeEach(argv, i + 4, i + 4)
    answer('k')
  end
  return i + 7
end

-- Z: it is settled by whoever looks after it. ticket, outcome as in KINDS, or empty: cancelled, and its request with it
function OPS.Z(argv, i, answer)
  local tid, outcome = argv[i], argv[i + 1]
  local rec, c, pending = ticketAt(tid)
  if pending then
    local rid = stateOf(rec)
    conclude(tid, rec, c, outcome == '' and 'Cancelled' or 'Completed', outcome)
    if outcome == '' then withdraw(rid) end
    answer('k')
  else
    if byte(outcome) == 67 then dropOutcome(sub(outcome, 2)) end
    answer('n')
  end
  return i + 2
end

local function noted(tid, note, by)
  local rec, c, pending = ticketAt(tid)
  if not pending then return false end
  local rid, owner, _, from = stateOf(rec)
  if by and rid ~= by then return false end
  local head = sub(rec, 1, from - 1)
  replace(tid, rec, head .. rid .. ' ' .. owner .. '\n' .. note)
  if #linesFor(c, 'n') > 0 then announce(c, tid, head .. note, 'wva') end
  return true
end

-- m: how far it is. ticket, note
function OPS.m(argv, i, answer)
  answer(noted(argv[i], argv[i + 1]) and 'k' or 'n')
  return i + 2
end

-- p: the same by whoever holds its request. claim, note
function OPS.p(argv, i, answer)
  local claim, id, key = argv[i], idOf(argv[i]), P .. 'c' .. SID
  local held = call('SISMEMBER', key, claim) == 1 or call('SISMEMBER', key, claim .. '!') == 1
  answer(held and noted(ticketIn(id), argv[i + 1], id) and 'k' or 'n')
  return i + 2
end

-- I: this process waits for it no longer. ticket
function OPS.I(argv, i, answer)
  local rec, _, pending = ticketAt(argv[i])
  if pending then
    local id, owner, note, from = stateOf(rec)
    if owner == SID then replace(argv[i], rec, sub(rec, 1, from - 1) .. id .. ' -\n' .. note) end
  end
  answer('k')
  return i + 1
end

-- G: how far it is, asked. ticket. Answers s settled, w its request waits, r it runs, a it is not here, with the deaths of its holders, the
-- ms of its lease that are left, and the request; then the note.
function OPS.G(argv, i, answer)
  local rec, c, pending = ticketAt(argv[i])
  local left = rec and format(' %.0f ', tonumber(sub(rec, 1, 13)) - now)
  if not rec or c.root ~= TICKET then
    answer('n')
  elseif not pending then
    answer('p', 's0' .. left, '')
  else
    local rid, _, note = stateOf(rec)
    local request = call('HGET', P .. 'e', rid)
    local state = 'a0'
    if request and not expired(request) then
      local free = call('ZSCORE', sig(signatureOf(request)).index[1], rid)
      state = (free and 'w' or 'r') .. sub(request, 27, 27)
    end
    answer('p', state .. left .. rid, note)
  end
  return i + 1
end
