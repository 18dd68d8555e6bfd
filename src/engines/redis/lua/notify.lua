-- Registrations for events. Each template of a registration is a wait of its own, `registration.number`.
-- shares: dropRegistration, dueAt

local function nameOf(presence, registration) return presence .. ':' .. registration end

-- Returns the field that has the number of templates of a registration.
local function countField(registration) return registration .. SIGN.hash end

-- Ends a registration. Returns whether there was one.
local function dropRegistration(presence, registration)
  local events = keysOf(presence).events
  local parts = tonumber(call('HGET', events, countField(registration)) or 0)
  local spec = parts > 0 and specOf(presence, registration .. '.1')
  if spec and spec.tx ~= '' then call('SREM', marksKey(spec.tx), MARK.registered .. registration) end
  for j = 1, parts do unregister(presence, registration .. '.' .. j) end
  call('HDEL', events, registration, countField(registration))
  return call('ZREM', keys.registrations, nameOf(presence, registration)) == 1
end

-- Notes that something other than an entry ends at this time.
local function dueAt(time)
  if counters.due == 0 or time < counters.due then
    counters.due = time
    countersChanged = true
  end
end

-- `sequence`: the number before the first event. `templates`: separated by newlines.
function OPS.notify(registration, sequence, leaseMs, transaction, templates)
  if transaction ~= '' and not isOpen(transaction) then return reply(REPLY.transactionEnded) end
  local asked = {}
  for text in gmatch(templates, '[^\n]+') do
    local spec = readTemplate(text, 'notify')
    local refusal = LATER.conditional.refusalOf(spec)
    if refusal then return reply(REPLY.failed, refusal) end
    spec.tx = transaction
    asked[#asked + 1] = spec
  end
  dropRegistration(self, registration)
  local parts = #asked
  for j = 1, parts do register(self, registration .. '.' .. j, asked[j], 1) end
  local expiresAt = leaseEndText(tonumber(leaseMs))
  call('HSET', ownKeys.events, registration, sequence, countField(registration), parts)
  call('ZADD', keys.registrations, expiresAt, nameOf(self, registration))
  if transaction ~= '' then mark(transaction, MARK.registered, registration) end
  dueAt(expiresAt)
  reply(REPLY.done)
end

function OPS.renewRegistration(registration, leaseMs)
  local name, expiresAt = nameOf(self, registration), leaseEndText(tonumber(leaseMs))
  if not call('ZSCORE', keys.registrations, name) then return reply(REPLY.none) end
  call('ZADD', keys.registrations, expiresAt, name)
  dueAt(expiresAt)
  reply(REPLY.done)
end

function OPS.endRegistration(registration)
  reply(dropRegistration(self, registration) and REPLY.done or REPLY.none)
end

-- After a reconnect the owner derives the number of missed events from the number of the last event.
function OPS.lastEvent(registration)
  local last = call('ZSCORE', keys.registrations, nameOf(self, registration)) and call('HGET', ownKeys.events, registration)
  if last then reply(REPLY.number, last) else reply(REPLY.none) end
end
