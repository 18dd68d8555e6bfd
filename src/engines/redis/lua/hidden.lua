-- Hidden entries: those that open transactions have taken or written. They are in no index, and possibly free when their
-- transaction ends; a find may wait for that.
-- shares: conflictWith

-- Searches of a call that look at all hidden entries; for further ones these are sorted by the parts of their signatures.
local SEARCHED_WHOLE = 4
-- Most records in one command: Lua's stack takes some thousands of values.
local RECORDS_AT_ONCE = 1000

-- Returns the ids that a transaction hides.
local function hiddenBy(transaction)
  local ids, written = takenUnder(transaction), call('ZRANGE', writtenKey(transaction), 0, -1)
  for j = 1, #written do ids[#ids + 1] = written[j] end
  return ids
end

-- Adds entries, each with its transaction.
local function readRecords(transaction, ids, from, to, into)
  local records = call('HMGET', keys.entries, unpack_(ids, from, to))
  for j = 1, to - from + 1 do
    local record = records[j]
    if record and isSound(record) then
      into[#into + 1] = { transaction = transaction, record = record }
    elseif record then
      LATER.setAside(ids[from + j - 1], record)
    end
  end
end

-- Returns all hidden entries. They are read once in a call, unless it changes them: then `facts.hidden` is nil again.
local function hiddenEntries()
  local all = facts.hidden
  if all then return all end
  all = { searches = 0 }
  local names = exists(keys.transactions) and openTransactions() or {}
  for n = 1, #names do
    local ids = hiddenBy(names[n])
    for from = 1, #ids, RECORDS_AT_ONCE do
      local to = from + RECORDS_AT_ONCE - 1
      readRecords(names[n], ids, from, to < #ids and to or #ids, all)
    end
  end
  facts.hidden = all
  return all
end

local function sortedByPart(all)
  local byPart = {}
  for j = 1, #all do
    for part in gmatch(signatureOf(all[j].record), '[^|]+') do append(byPart, part, all[j]) end
  end
  return byPart
end

-- Returns the hidden entries that have the rarest part of a template, or all.
local function nearest(spec)
  local all = hiddenEntries()
  all.searches = all.searches + 1
  if all.searches <= SEARCHED_WHOLE then return all end
  all.byPart = all.byPart or sortedByPart(all)
  local fewest = all
  local function narrow(part)
    local some = all.byPart[part] or {}
    if #some < #fewest then fewest = some end
  end
  if spec.kind ~= KIND.any then narrow(SIGN.kind .. spec.kind) end
  for j = 1, #spec.indexed do narrow(spec.indexed[j]) end
  for j = 1, #spec.verified do narrow(spec.verified[j]) end
  return fewest
end

-- Returns whether AnyEntry matches.
local function matchesAny(record)
  local kinds = indexInfo(signatureOf(record)).kinds
  return kinds[#kinds] == KIND.any
end

local function isOf(record, spec, needles)
  return LATER.isMatch(record, needles, spec) and (spec.kind ~= KIND.any or matchesAny(record))
end

-- Returns the record of a match that another transaction holds; nil if there is none.
local function conflictWith(spec)
  flushRecords()
  local needles, near = LATER.needlesOf(spec), nearest(spec)
  for j = 1, #near do
    local record = near[j].record
    if near[j].transaction ~= spec.tx and not hasExpired(record) and isOf(record, spec, needles) then return record end
  end
  if spec.mode ~= 'take' or not exists(keys.readers) then return nil end
  local roots = spec.kind == KIND.any and LATER.rootsIn(readKey) or { spec.root }
  local function isReadByOthers(id) return call('HGET', keys.readers, id) ~= ',' .. spec.tx .. ',' end
  for r = 1, #roots do
    local hits, on
    repeat
      hits, on = searchRoot(spec, roots[r], 1, on, true, isReadByOthers)
      if hits[1] then return hits[1][2] end
    until not on
  end
end

-- Has waits search again whose match is held, and has a shorter lease now: they know when the lease was to end.
function LATER.leaseShortened(record)
  facts.hidden = nil
  local waiting = call('SMEMBERS', keys.ifExists)
  for j = 1, #waiting do
    local who = parsedWaiter(waiting[j])
    local spec = specOf(who.presence, who.wait)
    if spec and isOf(record, spec, LATER.needlesOf(spec)) then push(who.presence, PUSH.lookAgain .. who.wait .. '\t', '', '') end
  end
end
