/**
 * What stands in Redis, looked at in one stroke: each index leads to a record, each record stands where its state says, and nothing is
 * kept of what has ended (docs/redis.md, Keys).
 */

import { KEYS } from '../../src/engines/redis/key-names.js'
import { keysOf } from '../../src/engines/redis/keys.js'
import { KIND, PLACE, RECORD, RECORD_TYPE, SHARED } from '../../src/engines/redis/protocol.js'
import type { Redis } from './redis.js'

/** The names of keys as a Lua table: by its name in protocol.ts, the text of the key and whether more follows. */
const NAMES = Object.entries(KEYS)
  .map(([name, key]) => `${name} = { '${key.name}', ${'of' in key} }`)
  .join(', ')

/** Runs in the server, so that nothing changes meanwhile. Answers one line per violation. */
const SCAN = `
local P, wrong = ARGV[1], {}
local NAMES = { ${NAMES} }
-- The key of this name, and of what follows.
local function key_(name, of) return P .. NAMES[name][1] .. (of or '') end
-- Which key this is, and what follows its name.
local function named(key)
  local best, length = '', -1
  for name, of in pairs(NAMES) do
    local text, more = of[1], of[2]
    if #text > length and (key == text or more and key:sub(1, #text) == text) then best, length = name, #text end
  end
  return best, key:sub(length + 1)
end
local function say(...) wrong[#wrong + 1] = table.concat({ ... }, ' ') end
local keys = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  if key:sub(1, #P) == P then keys[key:sub(#P + 1)] = true end
end
local function hash(name, of)
  local flat, map = redis.call('HGETALL', key_(name, of)), {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end
local function set(name, of)
  local map = {}
  for _, member in ipairs(redis.call('SMEMBERS', key_(name, of))) do map[member] = true end
  return map
end
local function zset(name, of)
  local flat, map = redis.call('ZRANGE', key_(name, of), 0, -1, 'WITHSCORES'), {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end
local records, readers, T, N, presences = hash('entries'), hash('readers'), zset('transactions'), zset('registrations'), zset('presences')
local entries, lockers, locks = zset('sessions'), hash('lockers'), zset('locks')

-- Where each record should stand, by its signature.
local paths = {}
for id, rec in pairs(records) do
  local from = rec:byte(${RECORD.type.from}) ~= ${RECORD_TYPE.entry.charCodeAt(0)} and ${RECORD.requestSignature.from} or ${RECORD.signature.from}
  local S = rec:sub(from, rec:find('\\n', from, true) - 1)
  local kinds, fields, indexed, orders = {}, {}, true, {}
  for item in S:gmatch('[^|]+') do
    if item:byte() == 44 then orders[#orders + 1] = item:sub(2) elseif item:byte() == 64 then kinds[#kinds + 1] = item:sub(2) elseif item == ';' then indexed = false elseif indexed then fields[#fields + 1] = item end
  end
  local path = { root = kinds[#kinds], score = rec:sub(${RECORD.score.from}, ${RECORD.score.to}), large = rec:byte(${RECORD.place.from}) == ${PLACE.reference.charCodeAt(0)} }
  -- Tickets are in no index.
  if path.root ~= '${KIND.ticket}' then
    for _, kind in ipairs(kinds) do path[#path + 1] = '@' .. kind end
    for _, field in ipairs(fields) do path[#path + 1] = '=' .. kinds[#kinds] .. '|' .. field end
    for i, field in ipairs(orders) do orders[i] = kinds[#kinds] .. '|' .. field .. ',' end
  end
  path.orders = orders
  paths[id] = path
end

-- Who holds what: claims of sessions, marks of transactions.
local claimed, marked, swept, ordered = {}, {}, {}, {}
for key in pairs(keys) do
  local name, rest = named(key)
  if name == 'claims' then
    for claim in pairs(set('claims', rest)) do
      if claim:byte() == 36 and lockers[claim:match('^([^:]+):')] ~= rest .. ' ' .. claim then say(claim, 'is no lock') end
      local id = claim:match('^([^:]+):')
      if id and claimed[id] and records[id] then say(id, 'is held twice') end
      if id then claimed[id] = rest end
    end
  elseif name == 'marks' then
    if not T[rest] then say(key, 'of no transaction') end
    for mark in pairs(set('marks', rest)) do
      local letter, id = mark:sub(1, 1), mark:sub(2)
      if letter == 'n' then
        if not N[rest:sub(1, 22) .. ':' .. id] then say(key, mark, 'of no registration') end
      elseif letter == 'w' then
        for own in pairs(zset('written', rest)) do
          if records[own] then
            marked[own] = marked[own] or {}
            marked[own][rest] = '+'
          end
        end
      else
        local large = id:byte() == 64
        if large then id = id:sub(2) end
        if records[id] then
          if letter ~= 'r' and large ~= paths[id].large then say(key, mark, 'is wrong about its body') end
          marked[id] = marked[id] or {}
          marked[id][rest] = letter
        end
      end
    end
  elseif name == 'written' then
    if not T[rest] then say(key, 'of no transaction') end
    if redis.call('SISMEMBER', key_('marks', rest), 'w') == 0 then say(key, 'and its transaction has not written') end
  end
  local isOfPresence = name == 'presence' or name == 'claims' or name == 'outcomes' or name == 'waits' or name == 'events'
  if isOfPresence and not presences[rest] then say(key, 'of no presence') end
  if name == 'body' then
    local id = rest:match('^[^:]+')
    local ttl = redis.call('PTTL', P .. key)
    local isWritten = paths[id] and paths[id].large
    -- A process that dies between the two leaves a body without its entry, for two hours at most.
    if rest == id and not isWritten and (ttl < 0 or ttl > 7200000) then say(key, 'of no entry') end
    if rest == id and isWritten and ttl >= 0 and ttl <= 7200000 then say(key, 'will be gone before its entry') end
    if ttl < 0 and not (paths[id] and records[id]:sub(1, 13) == '9999999999999') then say(key, 'has no end') end
  elseif name == 'sweep' then
    if not rest:match('^%d+$') then say(key, 'is no key of ours') end
    for _, id in ipairs(redis.call('LRANGE', P .. key, 0, -1)) do swept[id] = true end
  elseif name == 'freeWith' and rest:sub(-1) == ',' then
    ordered[rest] = zset(name, rest)
  elseif name == 'free' or name == 'read' or name == 'freeWith' or name == 'readWith' then
    rest = ((name == 'free' or name == 'read') and '@' or '=') .. rest
    for id, score in pairs(zset(name, rest:sub(2))) do
      local path, found = paths[id], false
      if not path then
        say(key, id, 'has no record')
      else
        for _, each in ipairs(path) do found = found or each == rest end
        if not found then say(key, id, 'is not of its signature') end
        if string.format('%016.0f', tonumber(score)) ~= path.score then say(key, id, 'has another score') end
      end
    end
  elseif name == '' then
    say(key, 'is no key of ours')
  end
end

-- Each record is free, read, hidden by one transaction, or claimed: and stands there only.
for id, path in pairs(paths) do
  local free, locked = 0, 0
  for _, each in ipairs(path) do
    local ofKind = each:sub(1, 1) == '@'
    if redis.call('ZSCORE', key_(ofKind and 'free' or 'freeWith', each:sub(2)), id) then free = free + 1 end
    if redis.call('ZSCORE', key_(ofKind and 'read' or 'readWith', each:sub(2)), id) then locked = locked + 1 end
  end
  -- In the order of each of its ordered fields while it is free.
  for _, key in ipairs(path.orders) do
    local suffix, count = path.score .. id, 0
    for member in pairs(ordered[key] or {}) do
      if member:sub(-#suffix) == suffix then
        count = count + 1
        ordered[key][member] = nil
      end
    end
    if count ~= (free > 0 and 1 or 0) then say(id, 'is', count, 'times in', key, 'and free in', free, 'indexes') end
  end
  local hidden = 0
  for tx, letter in pairs(marked[id] or {}) do
    if letter ~= 'r' then
      hidden = hidden + 1
    elseif not readers[id] or not readers[id]:find(',' .. tx .. ',', 1, true) then
      say(id, 'is not read by', tx)
    end
  end
  if hidden > 1 then say(id, 'is hidden by', hidden, 'transactions') end
  local state = {}
  if free > 0 or path.root == '${KIND.ticket}' then state[#state + 1] = 'free' end
  if locked > 0 then state[#state + 1] = 'read' end
  if hidden > 0 then state[#state + 1] = 'hidden' end
  if claimed[id] then state[#state + 1] = 'claimed' end
  if records[id]:sub(1, 13) ~= '9999999999999' and not swept[id] then say(id, 'is in no list of the sweep') end
  if #state ~= 1 then say(id, 'is', #state == 0 and 'nowhere' or table.concat(state, ' and ')) end
  if free > 0 and free ~= #path then say(id, 'is free in', free, 'of', #path, 'indexes') end
  if locked > 0 and locked ~= #path then say(id, 'is read in', locked, 'of', #path, 'indexes') end
  if (locked > 0) ~= (readers[id] ~= nil) then say(id, 'is read by', readers[id] or 'nobody') end
end
for key, members in pairs(ordered) do
  for member in pairs(members) do say(key, member:sub(-30), 'is in an order without its record') end
end
for id, tx in pairs(hash('changed')) do
  if not T[tx] then say('changed', id, 'by no transaction') end
end
for id, list in pairs(readers) do
  if not records[id] then say('readers', id, 'has no record') end
  for tx in list:gmatch('[^,]+') do
    if not T[tx] or not marked[id] or marked[id][tx] ~= 'r' then say('readers', id, 'names', tx) end
  end
end
-- Each session entry has its attributes and its size, its owner knows it, and a lock on it is held.
local all, owners = 0, 0
for id in pairs(entries) do
  local text, sum = redis.call('GET', key_('session', id)) or '', 0
  local ends, bytes, owner = text:match('^(%d+)[ !]%d%d%d(%d%d%d%d%d%d%d%d) %S+ %d%d%d ([^\\n]*)\\n')
  local from, names = (text:find('\\n', 1, true) or 0) + 1, {}
  while from <= #text do
    local line = text:find('\\n', from, true)
    local name, version, length = text:sub(from, line - 1):match('^%x+\\t(.*)\\t(.+)\\t(%d+)$')
    if not name then
      say(id, text:sub(from, line), 'is no attribute')
      break
    end
    -- Of two the later one counts.
    sum = sum + #name + length - (names[name] or 0)
    names[name] = #name + length
    from = line + length + 1
  end
  if #text > 1.5 * sum + 5000 then say(id, 'is of', sum, 'bytes and takes', #text) end
  if tonumber(ends or 0) < tonumber(entries[id]) then say(id, 'ends at', ends or '', 'and is looked at at', entries[id]) end
  if (text:sub(14, 14) == '!') ~= (lockers[id] ~= nil) then say(id, 'says of its lock', text:sub(14, 14)) end
  if not bytes then
    say(id, 'has a lease and nothing else')
  else
    all = all + sum
    if sum ~= tonumber(bytes) then say(id, 'is of', sum, 'bytes and not', bytes) end
    if owner ~= '' then owners = owners + 1 end
    if owner ~= '' and redis.call('SISMEMBER', key_('owned', owner), id) == 0 then say(id, 'is not among those of its owner') end
  end
end
for key in pairs(keys) do
  local name, rest = named(key)
  if name == 'session' and not entries[rest] then say(key, 'has no lease') end
  if name == 'owned' then owners = owners - redis.call('SCARD', P .. key) end
end
if owners ~= 0 then say('owners have', -owners, 'too many') end
for id, locker in pairs(lockers) do
  if not entries[id] then say('lockers', id, 'is of no session entry') end
  if redis.call('SISMEMBER', key_('claims', locker:sub(1, 22)), locker:sub(24)) == 0 then say('lockers', id, 'is held by nobody') end
  if not locks[locker:sub(24)] then say('lockers', id, 'has no end') end
end
for claim in pairs(locks) do
  local id = claim:match('^([^:]+):')
  if (lockers[id] or ''):sub(24) ~= claim then say('locks', claim, 'is over') end
end
local large = 0
for id, bytes in pairs(hash('bodyBytes')) do
  large = large + bytes
  if not (paths[id] and paths[id].large) then say('bodyBytes', id, 'has no large body') end
end
local counters = redis.call('GET', key_('counters'))
if tonumber(redis.call('GET', key_('sessionBytes')) or 0) ~= all or all == 0 and keys[NAMES.sessionBytes[1]] then say('session entries are of', all, 'bytes and not as many as were counted') end
local owned = {}
for id, record in pairs(records) do
  local owner = record:match('^[^\\n]-|(owner=[^|\\n]+)|')
  if owner and record:find('|@takespace.Ticket|', 1, true) then owned[owner] = true end
end
for owner in pairs(hash('ticketBytes')) do if not owned[owner] then say('ticketBytes', owner, 'has no ticket') end end
local tickets = 0
for _, path in pairs(paths) do if path.root == '${KIND.ticket}' then tickets = tickets + 1 end end
local counted = counters and cmsgpack.unpack(counters).ticketCount or 0
if counted ~= tickets then say('there are', tickets, 'tickets and not', counted, 'as counted') end
if counters and (cmsgpack.unpack(counters).large or 0) ~= large then say('bodyBytes is of', large, 'bytes and not as many as were counted') end
for id, sid in pairs(hash('suspects')) do if claimed[id] ~= sid then say('suspects', id, 'is not held by', sid) end end

-- Waits and registrations stand in lines, and are counted.
local counts, lines, names, conditions = {}, {}, {}, {}
for sid in pairs(presences) do
  local registered = hash('events', sid)
  for wid, packed in pairs(hash('waits', sid)) do
    local spec, member = cmsgpack.unpack(packed), sid .. ':' .. wid
    counts[spec.name .. spec.shape] = (counts[spec.name .. spec.shape] or 0) + 1
    lines[spec.key .. ' ' .. member] = true
    if spec.values then
      local text = spec.values .. ';' .. spec.conditions
      conditions[text] = (conditions[text] or 0) + 1
      if not redis.call('ZSCORE', key_('conditions', spec.values), spec.conditions) then say(member, 'has conditions that no write looks at') end
    elseif spec.conditions and spec.shape:sub(-1) ~= '*' then
      say(member, 'has conditions that are not counted')
    end
    names[member] = spec
    local first = wid:sub(1, 1)
    if first ~= 'o' and not redis.call('ZSCORE', spec.key, member) then say(member, 'stands in no line') end
    if (first == 'n' or first == 'x') and not registered[wid:match('^[^.]+')] then say(member, 'is no registration') end
    if spec.tx ~= '' and not T[spec.tx] then say(member, 'waits under', spec.tx) end
  end
  for wid in pairs(registered) do
    if wid:sub(-1) ~= '#' and not N[sid .. ':' .. wid] then say('events', sid, wid, 'has no lease') end
  end
end
for key in pairs(keys) do
  local name, rest = named(key)
  if name == 'queue' then
    for member in pairs(zset('queue', rest)) do if not lines[P .. key .. ' ' .. member] then say(key, member, 'does not wait') end end
  end
end
local counted = hash('conditionCounts')
for text, n in pairs(counted) do
  if conditions[text] ~= tonumber(n) then say('conditionCounts', text, n, 'and not', conditions[text] or 0) end
end
for text in pairs(conditions) do if not counted[text] then say('conditionCounts', text, 'is not counted') end end
for key in pairs(keys) do
  local name, rest = named(key)
  if name == 'conditions' then
    for text in pairs(zset('conditions', rest)) do if not counted[rest .. ';' .. text] then say(key, text, 'does not wait') end end
  end
end
local kept = hash('shapeCounts')
for shape, n in pairs(kept) do if counts[shape] ~= tonumber(n) then say('shapeCounts', shape, n, 'and not', counts[shape] or 0) end end
for shape, n in pairs(counts) do if not kept[shape] then say('shapeCounts', shape, 'is not counted') end end
for reg, shapes in pairs(hash('shapes')) do
  for shape in shapes:gmatch('[^|]+') do if not kept[reg .. shape] then say('shapes', reg, shape, 'of no wait') end end
end
for member in pairs(set('ifExists')) do if not names[member] or not names[member].ifExists then say('ifExists', member, 'does not wait') end end
local waiting = {}
for member in pairs(zset('prepared')) do
  local name = member:match('^(%S+) %d+ %S+$')
  waiting[name or ''] = true
  if not T[name] then say('prepared', member, 'of no transaction') end
end
for member in pairs(zset('decisions')) do
  local name = member:match('^(%S+) %d+ %S+$')
  if not name or T[name] and tonumber(T[name]) >= 0 then say('decisions', member, 'of an open transaction') end
end
for name, ends in pairs(T) do
  if (tonumber(ends) >= ${SHARED.neverMs}) ~= (waiting[name] == true) then say('transactions', name, 'is half prepared') end
end
for name in pairs(T) do if not presences[name:sub(1, 22)] and not waiting[name] then say('transactions', name, 'of no presence') end end
for name in pairs(N) do
  if redis.call('HEXISTS', key_('events', name:sub(1, 22)), name:sub(24)) == 0 then say('registrations', name, 'of no registration') end
end
return table.concat(wrong, '\\n')
`

/** What is wrong with a space as it stands now, one line each; [] if nothing is. */
export async function violations(
  redis: Pick<Redis, 'cli'>,
  name = 'default',
  { prefix } = keysOf(name),
): Promise<string[]> {
  const answer = await redis.cli('EVAL', SCAN, '0', prefix)
  return answer.split('\n').filter((line) => line !== '')
}

const UNWRITTEN = `
local OUTCOMES, BODY = '${KEYS.outcomes.name}', '${KEYS.body.name}'
local dropped, told, keys = 0, {}, redis.call('KEYS', '*')
for _, key in ipairs(keys) do
  if key:sub(1, #ARGV[1] + #OUTCOMES) == ARGV[1] .. OUTCOMES then
    for _, outcome in ipairs(redis.call('HVALS', key)) do told[outcome] = true end
  end
end
for _, key in ipairs(keys) do
  if key:sub(1, #ARGV[1] + #BODY) == ARGV[1] .. BODY then
    local ttl = redis.call('PTTL', key)
    local id = key:sub(#ARGV[1] + #BODY + 1)
    local isOutcome = id:find(':', 1, true)
    local is = isOutcome and (ARGV[2] == '' or told['C' .. id]) or redis.call('HEXISTS', ARGV[1] .. '${KEYS.entries.name}', id) == 1
    if ttl >= 0 and ttl <= 7200000 and not is then dropped = dropped + redis.call('UNLINK', key) end
  end
end
return dropped
`

/**
 * Removes the large bodies whose writers died before they wrote the entry; else they would stay for two hours. Answers how many.
 *
 * @param outcomes those, too, of workers that were taken for dead, came back with an answer that nobody wanted, and died before they heard so
 */
export async function dropUnwritten(redis: Pick<Redis, 'cli'>, { outcomes = false } = {}): Promise<number> {
  return Number(await redis.cli('EVAL', UNWRITTEN, '0', keysOf('default').counters.slice(0, -1), outcomes ? '1' : ''))
}
