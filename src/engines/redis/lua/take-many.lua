-- Takes of several entries at once.

-- Takes the entries out of the indexes, in few commands.
local function unindexAll(hits)
  local byKey = {}
  for h = 1, #hits do
    local info = indexInfo(signatureOf(hits[h][2]))
    for j = 1, #info.index do append(byKey, info.index[j], hits[h][1]) end
    if info.ordered then LATER.order.takeOut(info, hits[h][1], hits[h][2]) end
  end
  for key, ids in pairs(byKey) do many('ZREM', key, ids) end
end

-- `after`: where to continue, or ''. Replies where to continue if the bound on candidates was met, the claims (under a
-- transaction the ids) separated by spaces, and the entries.
function OPS.takeMany(after, most, transaction, template)
  local spec = readTemplate(template, 'take')
  spec.tx = transaction
  if transaction ~= '' and not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local hits, on = searchVisible(spec, tonumber(most), after ~= '' and after or nil)
  local page, names = { nowText }, {}
  if transaction == '' then unindexAll(hits) end
  for h = 1, #hits do
    local id, record = hits[h][1], hits[h][2]
    local claim = ''
    if transaction ~= '' then takeUnder(transaction, id, record) else claim = claimFor(self, id) end
    names[h] = claim == '' and id or claim
    item(page, id, claim, record)
  end
  reply(REPLY.taken, on or '', concat(names, ' '), concat(page))
end
