-- Rights: tells, before an operation needs them, which commands a user may not run. A function is not rolled back: a
-- right that is missing halfway through an operation would leave half of its writes.

-- How many keys a command is asked with. Two come first: of a command with two keys, one alone is not checked. Redis 8.6
-- refuses to check a command with a number of arguments that it would not run with.
local COUNTS = { 2, 1, 0, 3, 4 }

-- Returns whether the server knows the command, and whether the user may run it.
local function check(command, key)
  for _, count in ipairs(COUNTS) do
    local words = {}
    for word in string.gmatch(command, '%S+') do words[#words + 1] = word end
    for _ = 1, count do words[#words + 1] = key end
    local isKnown, answer = pcall(redis.acl_check_cmd, unpack(words))
    if isKnown then return true, answer end
    local message = type(answer) == 'table' and answer.err or answer
    if not string.find(message, 'number of arg', 1, true) then return false end
  end
  return false
end

-- KEYS: the counters. ARGV: commands, subcommands behind a space.
-- Reply: the commands that this user may not run on such a key, and, behind a ?, those that the server lacks.
local function rights(names, arguments)
  local missing = {}
  for i = 1, #arguments do
    local isKnown, isAllowed = check(arguments[i], names[1])
    if not isKnown then missing[#missing + 1] = '?' .. arguments[i]
    elseif not isAllowed then missing[#missing + 1] = arguments[i]
    end
  end
  return missing
end

redis.register_function{ function_name = 'VERSION_rights', callback = rights, flags = { 'no-writes' } }
