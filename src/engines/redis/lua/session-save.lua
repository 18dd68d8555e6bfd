-- The save of what is known: a function of its own beside the batch, because it needs so little of it (decision 0014).
--
-- Who saves stands on all that is there, nobody has changed it since, and it is not locked: then nothing is put together, no claim is made and
-- nobody waits for it. The time comes from the saver, who has it from a batch: it may be late by less than what the lease must have left.
-- Whatever else is the case is left as it is, and for the batch to say; so is what a full server takes no more of.

-- What has been overwritten stays where it was until it is so much, beside half of what is there.
local LEFT_BEHIND = 4096

-- In one value: until when its lease must last (13 characters); what must stand behind the end of its lease in its first line, which says that it
-- is not locked, its size and its version (26); . if what follows is all of it, + if it is its new first line without the owner, and then
-- what has changed, which stands behind the rest from now on; by how much it grows. Answers which value is the next save's, too.
local function saveKnown(key, argv, i)
  local asked, contents = argv[i], argv[i + 1]
  local isWhole, head = byte(asked, 40) == 46, call('GETRANGE', key, 0, 38)
  local after, lasts, ends = isWhole and i + 2 or i + 3, sub(head, 1, 13), sub(contents, 1, 13)
  if sub(head, 14) ~= sub(asked, 14, 39) or lasts < sub(asked, 1, 13) then return 'n', after end
  local at = find(key, '$', 1, true)
  -- Where it is to be looked at before that, a batch has to note it.
  if ends < lasts and tonumber(ends) < tonumber(call('ZSCORE', sub(key, 1, at - 2) .. 'Y', sub(key, at))) then return 'n', after end
  if isWhole then
    call('SET', key, contents)
  else
    local changed = argv[i + 2]
    if call('STRLEN', key) + #changed > 1.5 * tonumber(sub(head, 15, 22)) + LEFT_BEHIND then return 'n', after end
    call('SETRANGE', key, 0, contents)
    call('APPEND', key, changed)
  end
  if byte(asked, 41) ~= 48 then growSessions(sub(key, 1, at - 2) .. 'Z', tonumber(sub(asked, 41))) end
  return 'k', after
end

-- KEYS: an entry for each save. ARGV: two or three values for each.
-- Reply: a letter for each: k it is saved, n it is not.
local function save(keys, argv)
  if not call then bind() end
  bounded = false
  local letters, i = {}, 1
  for j = 1, #keys do letters[j], i = saveKnown(keys[j], argv, i) end
  return concat(letters)
end

-- Without allow-oom.
redis.register_function('VERSION_save', save)
