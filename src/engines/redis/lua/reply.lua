-- Replies: a character for each operation, the values that follow some characters, and the part that the library
-- remembers.
-- shares: beginReplies, reply, refuse, endReplies, replay

local kinds, count, values, remembered = {}, 0, nil, nil
local batchNumber

-- `number`: of the batch.
local function beginReplies(number)
  batchNumber, count, values, remembered = number, 0, { '', nowText }, nil
end

-- Answers the running operation. Returns its slot, for refuse(). The last of several values is not remembered: it is
-- read again if the batch is asked about again.
local function reply(kind, first, second, third)
  count = count + 1
  kinds[count] = kind
  if first then
    local n = #values
    values[n + 1], values[n + 2], values[n + 3] = first, second, third
    remembered = remembered or { batchNumber, '' }
    n = #remembered
    remembered[n + 1], remembered[n + 2], remembered[n + 3] = first, second and (third and second or ''), third and ''
  end
  return count
end

-- Changes a reply to `none`, because the claim was lost.
local function refuse(slot) kinds[slot] = REPLY.none end

-- Returns the reply of the batch, and the part of it that is remembered, as a text: number, blank and characters if
-- there are no values, as mostly, else packed.
local function endReplies()
  local text = concat(kinds, '', 1, count)
  values[1] = text
  if not remembered then return values, batchNumber .. ' ' .. text end
  remembered[2] = text
  return values, cmsgpack.pack(remembered)
end

-- Returns the number of a remembered batch, its characters and its values.
local function parsedReplies(text)
  local number, characters = text:match('^(%d+) (.*)$')
  return number and { number, characters } or unpacked(text) or { '0', '' }
end

-- Returns the reply to a batch that has run before and is sent again because its reply was lost; that the batch is stale if
-- a later one is remembered in its place; nil if it has not run. `text`: what is remembered in its place.
local function replay(text, number)
  local answered = parsedReplies(text)
  if answered[1] ~= number then
    return (tonumber(answered[1]) or 0) > tonumber(number) and { REFUSAL.stale } or nil
  end
  local again, out, at = {}, { '', nowText }, 3
  for kind in gmatch(answered[2], '.') do
    local n = VALUE_COUNTS[kind] or 0
    if kind == REPLY.found then
      local record = recordOf(answered[at])
      -- The entry was read, and has been removed since: the process asks again.
      if record then
        out[#out + 1], out[#out + 2], out[#out + 3] = answered[at], answered[at + 1], record
      else
        kind = REPLY.askAgain
      end
    elseif kind == REPLY.taken then
      -- The asker still holds the entries that it took, under their ids.
      local page = { nowText }
      for name in gmatch(answered[at + 1], '%S+') do
        local isClaim = find(name, ':', 1, true)
        local id = isClaim and sub(name, 1, isClaim - 1) or name
        local record = recordOf(id)
        if record then item(page, id, isClaim and name or '', record) end
      end
      out[#out + 1], out[#out + 2], out[#out + 3] = answered[at], answered[at + 1], concat(page)
    elseif n == 2 then
      -- The present page or state serves as well.
      kind = REPLY.askAgain
    else
      for j = at, at + n - 1 do out[#out + 1] = answered[j] end
    end
    again[#again + 1] = kind
    at = at + n
  end
  out[1] = concat(again)
  return out
end
