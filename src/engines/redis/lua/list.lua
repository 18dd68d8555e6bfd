-- Listings without taking or waiting: pages of entries, backlogs, tokens of offers, kinds.

local function hexed(text) return (text:gsub('.', function(c) return format('%02x', byte(c)) end)) end

-- `after`: the place at which the last page ended, or ''. Under a transaction the entries of the page are locked. An
-- item has its place in the order of a field, as hex digits, if the page is in that order; else its score is its place.
function OPS.list(after, most, transaction, template)
  local spec, limit = readTemplate(template, 'read'), tonumber(most)
  spec.tx = transaction
  if transaction ~= '' and not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  flushRecords()
  local hits, on = searchVisible(spec, limit, after ~= '' and after or nil)
  local page = { nowText }
  for h = 1, #hits do
    local id, record = hits[h][1], hits[h][2]
    item(page, id, spec.inOrder and hexed(LATER.placeIn(spec, record)) or '', record)
    if transaction ~= '' and not hasWritten(transaction, id) then
      lockRead(id, record, indexInfo(signatureOf(record)), transaction)
    end
  end
  if #hits == limit then on = LATER.placeIn(spec, hits[limit][2]) end
  reply(REPLY.page, on or '', concat(page))
end

-- Each priority is a band of scores, with its oldest entry at the beginning. Further bands are not looked at.
local MOST_BANDS = 16

-- Replies when the oldest match was written ('' if there is none), and the number of matches. The template has at most
-- one field.
function OPS.backlog(template)
  local spec = readTemplate(template, 'read')
  flushRecords()
  local key = indexFor(spec, spec.root)
  local oldest, after = nil, nil
  for _ = 1, MOST_BANDS do
    local hit = searchRoot(spec, spec.root, 1, after)[1]
    if not hit then break end
    local writtenAt = sub(hit[2], RECORD.writtenAt.from, RECORD.writtenAt.to)
    if not oldest or writtenAt < oldest then oldest = writtenAt end
    local band = floor((tonumber(scoreOf(hit[2])) - SHARED.scoreZero) / SHARED.priorityStep)
    after = format('%.0f', SHARED.scoreZero + (band + 1) * SHARED.priorityStep)
  end
  reply(REPLY.page, oldest or '', tostring(call('ZCARD', key)))
end

-- Most marks of transactions of which one call looks up the kinds.
local MOST_KINDS_SEEN = 500

-- Replies the transactions, those whose lease ends first first: the score of each, the numbers of entries that it keeps
-- from others and that it has written, and the kinds of these.
function OPS.listTransactions(most)
  flushRecords()
  local page, left = { nowText }, MOST_KINDS_SEEN
  local found = call('ZRANGE', keys.transactions, 0, tonumber(most) - 1, 'WITHSCORES')
  for j = 1, #found, 2 do
    local transaction, kinds, known = found[j], {}, {}
    local held, written = call('SCARD', marksKey(transaction)), call('ZCARD', writtenKey(transaction))
    local function note(id)
      left = left - 1
      local record = recordOf(id)
      local kind = record and indexInfo(signatureOf(record)).kinds[1]
      if kind and not known[kind] then
        known[kind] = true
        kinds[#kinds + 1] = kind
      end
    end
    if held <= left then
      local marks = call('SMEMBERS', marksKey(transaction))
      for k = 1, #marks do
        local effect = byte(marks[k])
        if effect == MARK_BYTES.written or effect == MARK_BYTES.registered then
          held = held - 1
        else
          note(unmarked(marks[k]))
        end
      end
    end
    local ids = left > 0 and written > 0 and call('ZRANGE', writtenKey(transaction), 0, left - 1) or {}
    for k = 1, #ids do note(ids[k]) end
    item(page, transaction, found[j + 1] .. ' ' .. textOf(held) .. ' ' .. textOf(written), concat(kinds, '\n'))
  end
  reply(REPLY.page, '', concat(page))
end

-- Beyond these numbers nothing is looked through.
local MOST_WAITS, MOST_PROCESSES = 200, 200

-- Replies the tokens by which takers choose among the entries of a kind that have this token ('': all), or * if there
-- are too many waits.
function OPS.offered(kind, token)
  local page, known = { nowText }, {}
  local presences = call('ZRANGE', keys.presences, 0, MOST_PROCESSES)
  local tooMany = #presences > MOST_PROCESSES
  for j = 1, tooMany and 0 or #presences do
    local waits = keysOf(presences[j]).waits
    if call('HLEN', waits) > MOST_WAITS then tooMany = true break end
    local packed = call('HVALS', waits)
    for k = 1, #packed do
      local spec = unpacked(packed[k])
      if spec and spec.mode == 'take' and spec.kind == kind then
        local has = token == ''
        for t = 1, #spec.indexed do if spec.indexed[t] == token then has = true end end
        for _, tokens in ipairs(has and { spec.indexed, spec.anyOf or {} } or {}) do
          for t = 1, #tokens do
            if tokens[t] ~= token and not known[tokens[t]] then
              known[tokens[t]] = true
              item(page, '', '', tokens[t])
            end
          end
        end
      end
    end
  end
  reply(REPLY.page, tooMany and '*' or '', concat(page))
end

-- Replies the root kinds that were written, each with the number of its free entries.
function OPS.kinds()
  flushRecords()
  local page, roots = { nowText }, call('HKEYS', keys.kinds)
  for _, own in ipairs({ KIND.request, KIND.task, KIND.deadLetter }) do roots[#roots + 1] = own end
  for j = 1, #roots do item(page, roots[j], textOf(call('ZCARD', freeKey(roots[j]))), '') end
  item(page, KIND.ticket, textOf(counters.ticketCount or 0), '')
  local sessions = call('ZCARD', keys.sessions)
  if sessions > 0 then item(page, KIND.session, textOf(sessions), '') end
  reply(REPLY.page, '', concat(page))
end
