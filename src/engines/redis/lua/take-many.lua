-- F: takes of several at once.

-- Out of the indexes, all together.
local function unindexAll(hits)
  local byKey = {}
  for h = 1, #hits do
    local index = sig(signatureOf(hits[h][2])).index
    for j = 1, #index do append(byKey, index[j], hits[h][1]) end
  end
  for key, ids in pairs(byKey) do many('ZREM', key, ids) end
end

-- F: takes what is there, in order, and waits for nothing. where to go on or '', how many at most, transaction or '', template of one kind.
-- Tells where to go on if the search has met its bound, the claims (under a transaction the ids), and the entries.
function OPS.F(argv, i, answer)
  local spec, most, after, rest = readPage(argv, i, 't')
  local tid = spec.tx
  if tid ~= '' and not live(tid) then
    answer('T')
    return rest
  end
  local hits, on = look(spec, most, after)
  local page, names = { now13 }, {}
  if tid == '' then unindexAll(hits) end
  for h = 1, #hits do
    local id, rec = hits[h][1], hits[h][2]
    local claim = ''
    if tid ~= '' then takeUnder(tid, id, rec) else claim = claimFor(SID, id) end
    names[h] = claim == '' and id or claim
    item(page, id, claim, rec)
  end
  answer('P', on or '', concat(names, ' '), concat(page))
  return rest
end
