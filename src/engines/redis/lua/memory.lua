-- Memory: what this library remembers of a space from one call to the next, so that most calls need not read it again.
--
-- The decoded counters are remembered with their stored text (call.lua). Everything else holds in one generation of the
-- space. The generation is among the counters, which every call reads; forget() raises it, and is called by whatever
-- - changes the shapes of waits, or an offer (wait.lua),
-- - ends a presence (presence.lua), or notes a suspect (claim.lua),
-- - has waits registered anew (repair.lua).
-- New counters, a new history of the server and a call that has failed halfway begin a generation, too. A generation is
-- a token, so no generation comes twice: not after a failover, a reload, FLUSHALL, or calls of another release's
-- library.
--
-- That a presence is absent is not remembered. A beat compares the space with what processes know, and remembers
-- nothing. If keys are deleted by hand, an offer may be remembered for longer than it is stored: its process still
-- makes the offer, and a claim is stored with each delivery.
-- shares: memory, recall, forget, remember, endCall

-- Beyond this number all is forgotten.
local MOST_REMEMBERED = 4096

local memory
local version = 0

-- `shapes`: by `mode@kind`. `specs`: of offers, by waiter. `presences`: those that exist. `numbers`: the greatest of a
-- batch that has run, by presence. `ages`: of offers that are in their queues, by waiter, if nothing free is left for
-- them (offer.lua). `hasNoSuspects`: the space.
-- `version` is another one whenever shapes may have changed.
local function newMemory()
  version = version + 1
  return { version = version, size = 0, shapes = {}, specs = {}, presences = {}, numbers = {},
    ages = {} }
end

-- Begins a generation. What this call reads from now on is not remembered after it.
local function forget()
  counters.generation, countersChanged = counters.tok, true
  memory, keys.memory = newMemory(), nil
end

local function remember(part, name, value)
  if memory.size >= MOST_REMEMBERED then
    if memory == keys.memory then keys.memory = nil end
    memory = newMemory()
  end
  if memory[part][name] == nil then memory.size = memory.size + 1 end
  memory[part][name] = value
end

-- Begins a call that writes; the call before may have ended halfway. `isAfresh`: begins a part that reads everything,
-- and of which nothing is remembered.
local function recall(isAfresh)
  if isAfresh then
    memory = newMemory()
    facts[keys.suspects] = nil
    return
  end
  local goesOn = counters.generation and not keys.isRunning
  keys.isRunning = true
  if not goesOn then return forget() end
  memory = keys.memory
  if not memory or memory.generation ~= counters.generation then
    memory = newMemory()
    memory.generation, keys.memory = counters.generation, memory
  end
  if memory.hasNoSuspects then facts[keys.suspects] = false end
end

-- Ends a call that has done all that it had to do. From here the next one goes on.
local function endCall()
  if facts[keys.suspects] == false then memory.hasNoSuspects = true end
  keys.left, keys.isRunning = keys.next, nil
end
