-- Inexact shapes: of the waits whose template shares a queue with others that name the same value of one of its fields.

-- Returns how many wait in a queue.
local function waitersIn(key)
  if waitQueues[key] then flushQueue(waitQueues[key]) end
  return call('ZCARD', key)
end

-- Returns the shape and values of a wait by the field in whose queue fewest wait: each of these is verified when an entry
-- with the value is written. `name`: mode@kind.
function LATER.rarestOf(name, fields, tokens)
  local best, fewest = 1, nil
  for i = 1, #tokens > 1 and #tokens or 0 do
    local waiting = waitersIn(queueKey(name .. ':' .. fields[i] .. SIGN.inexact .. '|' .. tokens[i]))
    if not fewest or waiting < fewest then best, fewest = i, waiting end
    if waiting == 0 then break end
  end
  return ':' .. (fields[best] or '') .. SIGN.inexact, tokens[best] or ''
end
