-- c, e: completions, each of which ends a claim with an outcome for whoever waits for it.
-- shares: settle

-- The form of a completion is what many share: offer, credit, @ if the request's body has a key of its own, session to tell.
local function completionOf(argument, credits)
  local form = argument == '' and forms.last or forms[argument]
  if not form then
    local wid, credit, place, sid = argument:match('^(%S*) (%d+) (%S) (%S+)$')
    form = { wid, tonumber(credit), place == '@', sid }
    forms[argument] = form
  end
  forms.last = form
  if form[2] > 0 then credits[form[1]] = (credits[form[1]] or 0) + form[2] end
  return form
end

-- Noted: those of a call are settled together, in few commands. `along`: where what is written with it stands in the call.
local function completed(argv, at, slot, credits, along)
  local n = done.n + 1
  done.n, done.slots[n], done.forms[n] = n, slot, completionOf(argv[at], credits)
  done.claims[n], done.outcomes[n], done.along[n] = argv[at + 1], argv[at + 2], along
end

-- Whoever waits for it is told.
local function settled(form, id, outcome)
  if form[3] then dropBody(id) end
  tell(form[4], id, outcome)
end

-- c: holders have done it. how many; then for each: form (empty: the one before it), claim, outcome
function OPS.c(argv, i, answer, credits)
  local last = i + tonumber(argv[i]) * 3
  for at = i + 1, last, 3 do completed(argv, at, answer('k'), credits, false) end
  return last + 1
end

-- e: a holder has done it, and with it all that it wrote or did under a transaction; or nothing of this. form as in c, claim, outcome,
-- transaction or '', then as w. What only writes is settled together with other completions, unless room has to be counted one by one.
function OPS.e(argv, i, answer, credits)
  local claim, tid, from, last = argv[i + 1], argv[i + 3], i + 5, i + 4 + tonumber(argv[i + 4]) * 3
  if tid ~= '' and not live(tid) then
    answer('T')
  elseif last >= from and (isFull() or isOver(argv, from, last, tid ~= '' and tid, idOf(claim))) then
    answer('e', 'SPACE_FULL')
  elseif tid == '' and not bounded then
    completed(argv, i, answer('k'), credits, last >= from and { from, last })
  elseif call('SREM', P .. 'c' .. SID, claim) == 0 then
    if tid ~= '' then undo(tid) end
    answer('n')
  else
    local form, id = completionOf(argv[i], credits), idOf(claim)
    flushPuts()
    call('HDEL', P .. 'e', id)
    cleared({ id })
    settled(form, id, argv[i + 2])
    if tid ~= '' and strike(tid) then finish(tid, true) end
    writeEach(argv, from, last)
    answer('k')
  end
  return last + 1
end

-- What is still held under the claim that was named is completed, and what is to be written with it is written; every other completion is
-- refused.
local function settle(argv, refuse)
  local n = done.n
  if n == 0 then return end
  local key, named, ids, held, written = P .. 'c' .. SID, done.claims, {}, {}, {}
  local is = call('SMISMEMBER', key, unpack_(named))
  for j = 1, n do
    if is[j] == 1 then
      held[#held + 1] = named[j]
      local id = idOf(named[j])
      ids[#ids + 1] = id
      settled(done.forms[j], id, done.outcomes[j])
      if done.along[j] and not written[named[j]] then
        written[named[j]] = true
        written[#written + 1] = done.along[j]
      end
    else
      refuse(done.slots[j])
    end
  end
  if #held == 0 then return end
  call('SREM', key, unpack_(held))
  cleared(ids)
  -- One that was withdrawn, or whose lease ended, is there no longer: its requester drops an outcome that it does not wait for.
  call('HDEL', P .. 'e', unpack_(ids))
  for j = 1, #written do writeEach(argv, written[j][1], written[j][2]) end
end
