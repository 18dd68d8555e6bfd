-- Saves and renews sessions that their process knows: a function beside the batch, because it needs so little of the
-- batch (decision 0014).
--
-- Condition: the save is based on the whole stored entry, which no other process has changed since, and which is not
-- locked. Then nothing is merged, no claim is made, and no wait is served. The process states the time, as a batch
-- told it; the error is less than the time that the lease must have left. In every other case, and on a full server,
-- nothing is changed, and the batch decides.

-- Overwritten attributes stay in the entry up to this many bytes, beside half of the entry's size.
local LEFT_BEHIND = 4096
-- Positions of the parts in the first value of a save: the end of the lease, the text that must be stored behind its sum,
-- and what follows.
local LASTS, FOUND, WHOLE, GROWTH = 13, 38, 39, 40

-- `i`: where the values of this save begin. The first value has: the earliest acceptable end of the lease (13); the
-- size and version that the first line must have (25); . if the second value is the whole entry, + if it is the
-- beginning of the first line and the third value has the changed attributes (none: the lease is renewed); the growth in
-- bytes. Returns the reply, and where the values of the next save begin.
local function saveKnown(key, values, i)
  local asked, contents = values[i], values[i + 1]
  local isWhole, head = byte(asked, WHOLE) == 46, call('GETRANGE', key, 0, SESSION_RECORD.version.to - 1)
  local after, lasts, ends = isWhole and i + 2 or i + 3, sub(head, 1, LASTS), sub(contents, 1, LASTS)
  if sub(head, SESSION_RECORD.size.from) ~= sub(asked, LASTS + 1, FOUND) or byte(head, SESSION_RECORD.locked.from) ~= 32
    or lasts < sub(asked, 1, LASTS) then
    return REPLY.none, after
  end
  local isGrowing = byte(asked, GROWTH) ~= 48
  if isGrowing or ends < lasts then
    local at = find(key, KEYS.session.name .. SIGN.session, 1, true)
    useKeys(sub(key, 1, at - 1))
    -- If the entry must be looked at earlier than before, a batch has to note that.
    if ends < lasts and tonumber(ends) < tonumber(call('ZSCORE', keys.sessions, sub(key, at + #KEYS.session.name))) then
      return REPLY.none, after
    end
  end
  if isWhole then
    call('SET', key, contents)
  elseif values[i + 2] == '' then
    call('SETRANGE', key, 0, contents)
  else
    local changed = values[i + 2]
    local most = 1.5 * tonumber(sub(head, SESSION_RECORD.size.from, SESSION_RECORD.size.to)) + LEFT_BEHIND
    if call('STRLEN', key) + #changed > most then return REPLY.none, after end
    call('SETRANGE', key, 0, contents)
    call('APPEND', key, changed)
  end
  if isGrowing then growSessions(keys.sessionBytes, tonumber(sub(asked, GROWTH))) end
  return REPLY.done, after
end

-- KEYS: an entry for each save. ARGV: two or three values for each.
-- Reply: a character for each: `done` or `none`.
local function save(names, values)
  if not call then bind() end
  bounded = false
  local answers, i = {}, 1
  while i <= #values do
    local n = #answers + 1
    answers[n], i = saveKnown(names[n], values, i)
  end
  return concat(answers)
end

-- Without allow-oom.
redis.register_function('VERSION_save', save)
