-- Rights: tells, before an operation needs them, which commands a user may not run. A function is not rolled back: a
-- right that is missing halfway through an operation would leave half of its writes.

-- KEYS: the counters. ARGV: commands, subcommands behind a space.
-- Reply: the commands that this user may not run on such a key, and, behind a ?, those that the server lacks.
local function rights(names, arguments)
  local missing = {}
  for i = 1, #arguments do
    local words = {}
    for word in string.gmatch(arguments[i], '%S+') do words[#words + 1] = word end
    -- Twice: of a command with two keys, one alone is not checked.
    words[#words + 1] = names[1]
    words[#words + 1] = names[1]
    local isKnown, isAllowed = pcall(redis.acl_check_cmd, unpack(words))
    if not isKnown then missing[#missing + 1] = '?' .. arguments[i]
    elseif not isAllowed then missing[#missing + 1] = arguments[i]
    end
  end
  return missing
end

redis.register_function{ function_name = 'VERSION_rights', callback = rights, flags = { 'no-writes' } }
