-- Checks of records: a sum over the head, and a checksum of signature and body, show whether a stored record is one
-- that takespace has written.
-- shares: headSum, sumWith, isSound, rehead, sealed, madeRecord

-- Before each item of a signature.
local SEPARATOR = ('|'):byte()
local MOST_REQUESTERS = 256
local requesterSums, requesters = {}, 0

-- `text`: requester and maxDeliveries of a request, '' of another entry.
local function requesterSum(text)
  if text == '' then return 0 end
  local sum = requesterSums[text]
  if not sum then
    sum = 0
    for i = 1, #text do sum = (sum * 31 + byte(text, i)) % SHARED.prime end
    if requesters >= MOST_REQUESTERS then requesterSums, requesters = {}, 0 end
    requesterSums[text], requesters = sum, requesters + 1
  end
  return sum
end

-- Returns the sum of a head without its score. `written`: the time of the write and behind it the deaths, as one
-- number.
local function headSum(ends, written, kind, place, requester)
  return (ends % SHARED.prime * 2 + written % SHARED.prime * 3 + kind * 11 + place * 13 + requesterSum(requester)) % SHARED.prime
end

-- Returns the sum of a head with its score, as a record has it.
local function sumWith(sum, score) return DIGITS[(sum + score % SHARED.prime * 7) % SHARED.prime] end

-- Returns the sum of a head, which reaches to the place; nil if there are no numbers in it.
local function sumOf(head, requester)
  local ends = tonumber(sub(head, RECORD.expiresAt.from, RECORD.expiresAt.to))
  local written = tonumber(sub(head, RECORD.writtenAt.from, RECORD.deaths.to))
  local score = tonumber(sub(head, RECORD.score.from, RECORD.score.to))
  if not (ends and written and score) then return nil end
  local kind, place = byte(head, RECORD.type.from, RECORD.place.to)
  return sumWith(headSum(ends, written, kind, place, requester), score)
end

local function requesterIn(record)
  if byte(record, RECORD.type.from) == RECORD_TYPE_BYTES.entry then return '' end
  return sub(record, RECORD.requester.from, RECORD.maxDeliveries.to)
end

-- Returns whether the head is sound and the parts behind it are in their places. The checksum of signature and body is
-- left to the process that finds the record.
local function isSound(record)
  local isEntry = byte(record, RECORD.type.from) == RECORD_TYPE_BYTES.entry
  local from = isEntry and RECORD.signature.from or RECORD.requestSignature.from
  local first, second = byte(record, from, from + 1)
  if first ~= SEPARATOR or second ~= SIGN_BYTES.kind then return false end
  local stop = find(record, '\n', from, true)
  return stop ~= nil and #record >= stop + CHECKSUM.length
    and sumOf(record, requesterIn(record)) == sub(record, RECORD.headSum.from, RECORD.headSum.to)
end

-- Returns a record with another end of its lease (13 digits), another number of deaths, another type, or another place; nil
-- leaves each as it is.
local function rehead(record, ends, deaths, kind, place)
  local head = (ends or sub(record, RECORD.expiresAt.from, RECORD.expiresAt.to)) .. sub(record, RECORD.writtenAt.from, RECORD.writtenAt.to)
    .. (deaths or sub(record, RECORD.deaths.from, RECORD.deaths.to)) .. sub(record, RECORD.score.from, RECORD.score.to)
    .. (kind or sub(record, RECORD.type.from, RECORD.type.to)) .. (place or sub(record, RECORD.place.from, RECORD.place.to))
  return head .. sumOf(head, requesterIn(record)) .. sub(record, RECORD.signature.from)
end

-- Returns a body with its checksum before it.
local function sealed(signature, body)
  return sub(redis.sha1hex(signature .. '\n' .. body), 1, CHECKSUM.length) .. body
end

-- Returns a record of an entry that the library makes; `head` reaches to the place.
local function madeRecord(head, signature, body)
  return head .. sumOf(head, '') .. signature .. '\n' .. sealed(signature, body)
end
