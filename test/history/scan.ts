/** A scan of all that stands in Redis: every index entry has its data, every record has a place, counters are right, no key is nobody's. */
import type { Redis } from '../support/redis.js'

/** One script, so that it looks at one moment of a space that goes on. docs/redis.md has the keys, record.lua the records. */
const SCAN = `
local P, problems = ARGV[1], {}
local function bad(text) if #problems < 40 then problems[#problems + 1] = text end end
local call, sub = redis.call, string.sub
local recs, sessions, txs = {}, {}, {}
local function each(list, fn) for i = 1, #list, 2 do fn(list[i], list[i + 1]) end end
each(call('HGETALL', P .. 'e'), function(id, rec) recs[id] = rec end)
for _, sid in ipairs(call('ZRANGE', P .. 'S', 0, -1)) do sessions[sid] = true end
for _, tid in ipairs(call('ZRANGE', P .. 'T', 0, -1)) do txs[tid] = true end

local free, locked, hidden, claimed, looked, marks, waits, lines = {}, {}, {}, {}, {}, {}, {}, {}
local function note(map, id, key, score)
  map[id] = map[id] or {}
  map[id][key] = score
end
local OF_SESSION = { s = true, c = true, o = true, p = true, q = true }
for _, key in ipairs(call('KEYS', '*')) do
  local name = sub(key, #P + 1)
  local first, second = sub(name, 1, 1), sub(name, 2, 2)
  if sub(key, 1, #P) ~= P then
    -- Of another space.
  elseif (first == 'f' or first == 'r') and (second == '@' or second == '=') then
    each(call('ZRANGE', key, 0, -1, 'WITHSCORES'), function(id, score)
      if not recs[id] then bad(name .. ' leads to ' .. id .. ', which is not there') end
      note(first == 'f' and free or locked, id, sub(name, 2), score)
    end)
  elseif first == 'h' and second == '@' then
    for _, id in ipairs(call('ZRANGE', key, 0, -1)) do
      if not recs[id] then bad(name .. ' leads to ' .. id .. ', which is not there') end
      hidden[id] = true
    end
  elseif first == 'w' and (second == 't' or second == 'r' or second == 'n') then
    for _, member in ipairs(call('ZRANGE', key, 0, -1)) do note(lines, member, key, 1) end
  elseif OF_SESSION[first] and #name == 23 then
    local sid = sub(name, 2)
    if not sessions[sid] then bad(name .. ' belongs to a session that is not there') end
    if first == 'c' then
      for _, claim in ipairs(call('SMEMBERS', key)) do
        local colon = string.find(claim, ':', 1, true)
        if colon then
          local id = sub(claim, 1, colon - 1)
          if claimed[id] and recs[id] then bad(id .. ' is held twice: ' .. claimed[id] .. ' and ' .. claim) end
          claimed[id] = claim
        end
      end
    elseif first == 'p' then
      each(call('HGETALL', key), function(wid, packed) waits[sid .. ':' .. wid] = cmsgpack.unpack(packed) end)
    end
  elseif (first == 't' or first == 'u') and #name > 23 then
    local tid = sub(name, 2)
    if not txs[tid] then bad(name .. ' belongs to a transaction that is not there') end
    if first == 't' then for _, mark in ipairs(call('SMEMBERS', key)) do note(marks, sub(mark, 2), tid, sub(mark, 1, 1)) end end
  elseif first == 'x' then
    for _, id in ipairs(call('LRANGE', key, 0, -1)) do looked[id] = true end
  elseif first == 'b' then
    if not recs[(sub(name, 2):gsub(':r$', ''))] and sub(name, -2) ~= ':r' then bad(name .. ' is the body of nothing') end
    if call('PTTL', key) < 0 and recs[sub(name, 2)] and sub(recs[sub(name, 2)], 1, 13) ~= '9999999999999' then bad(name .. ' has no end') end
  elseif not (name == 'm' or name == 'e' or name == 'B' or name == 'W' or name == 'Wn' or name == 'K' or name == 'S' or name == 'T'
    or name == 'D' or name == 'R' or name == 'I') then
    bad(name .. ' is a key that nobody knows')
  end
end

-- Each record is in one place: free, read by transactions, hidden by one, or held.
local function placed(id, rec, places, index)
  local there = places[id] or {}
  local n = 0
  for _ in pairs(there) do n = n + 1 end
  if n == 0 then return false end
  if n ~= #index then bad(id .. ' is in ' .. n .. ' of its ' .. #index .. ' indexes') end
  for _, key in ipairs(index) do
    if tonumber(there[key] or -1) ~= tonumber(sub(rec, 28, 43)) then bad(id .. ' has not its place in ' .. key) end
  end
  return true
end
for id, rec in pairs(recs) do
  local isRequest = sub(rec, 44, 44) ~= 'e'
  local from = isRequest and 69 or 46
  local kinds, fields, indexed, index = {}, {}, true, {}
  for item in string.gmatch(sub(rec, from, string.find(rec, '\\n', from, true) - 1), '[^|]+') do
    if sub(item, 1, 1) == '@' then kinds[#kinds + 1] = sub(item, 2)
    elseif item == ';' then indexed = false
    elseif indexed then fields[#fields + 1] = item end
  end
  for _, kind in ipairs(kinds) do index[#index + 1] = '@' .. kind end
  for _, field in ipairs(fields) do index[#index + 1] = '=' .. kinds[#kinds] .. '|' .. field end
  local places = {}
  if placed(id, rec, free, index) then places[#places + 1] = 'free' end
  if placed(id, rec, locked, index) then places[#places + 1] = 'read' end
  if hidden[id] then places[#places + 1] = 'hidden' end
  if claimed[id] then places[#places + 1] = 'held' end
  if #places ~= 1 then bad(id .. ' is ' .. (#places == 0 and 'nowhere' or table.concat(places, ' and '))) end
  if hidden[id] then
    local by = 0
    for _, letter in pairs(marks[id] or {}) do if letter ~= 'r' then by = by + 1 end end
    if by ~= 1 then bad(id .. ' is hidden by ' .. by .. ' transactions') end
  end
  if sub(rec, 1, 13) ~= '9999999999999' and not looked[id] then bad(id .. ' is in no list of the sweep') end
end
each(call('HGETALL', P .. 'R'), function(id, tids)
  if not locked[id] then bad(id .. ' is read by ' .. tids .. ' and in no index of those') end
  for tid in string.gmatch(tids, '[^,]+') do
    if not (marks[id] and marks[id][tid] == 'r') then bad(id .. ' is read by ' .. tid .. ', which knows nothing of it') end
  end
end)
each(call('HGETALL', P .. 'D'), function(id, sid)
  if not sessions[sid] then bad(id .. ' is a suspect of a session that is not there') end
end)
for tid in pairs(txs) do if not sessions[sub(tid, 1, 22)] then bad(tid .. ' is of a session that is not there') end end

-- The waits stand in their lines, and are counted.
local counts = {}
for member, spec in pairs(waits) do
  local shape = spec.reg .. spec.shape
  counts[shape] = (counts[shape] or 0) + 1
  if not (lines[member] and lines[member][spec.key]) and sub(member, 24, 24) ~= 'o' then bad(member .. ' waits and stands in no line') end
end
for member in pairs(lines) do if not waits[member] then bad(member .. ' stands in a line and does not wait') end end
each(call('HGETALL', P .. 'Wn'), function(shape, n)
  if counts[shape] ~= tonumber(n) then bad(n .. ' are said to wait as ' .. shape .. ', and ' .. (counts[shape] or 0) .. ' do') end
  counts[shape] = nil
end)
for shape in pairs(counts) do bad('waits as ' .. shape .. ' are not counted') end
return problems
`

/** What is wrong, one line each; [] if nothing is. */
export async function scan(redis: Redis, space: string): Promise<string[]> {
  const reply = await redis.cli('EVAL', SCAN, '0', `{ts:${space}}:`)
  return reply === '' ? [] : reply.split('\n')
}
