-- The answer to a batch that ran before and is asked about again, because the first answer was lost on its way.
-- shares: replay

-- How many values follow each letter.
local VALUES = { f = 3, m = 1, e = 1, p = 2, P = 3 }

local function replay(answered)
  local letters, out, at = {}, { '', now13 }, 3
  for letter in gmatch(answered[2], '.') do
    local n = VALUES[letter] or 0
    if letter == 'f' then
      local rec = call('HGET', P .. 'e', answered[at])
      -- Read, and gone since: asked again.
      if rec then
        out[#out + 1], out[#out + 2], out[#out + 3] = answered[at], answered[at + 1], rec
      else
        letter = 'a'
      end
    elseif letter == 'P' then
      -- What was taken is the asker's, and found again under its ids.
      local page = { now13 }
      for name in gmatch(answered[at + 1], '%S+') do
        local isClaim = find(name, ':', 1, true)
        local id = isClaim and idOf(name) or name
        local rec = call('HGET', P .. 'e', id)
        if rec then item(page, id, isClaim and name or '', rec) end
      end
      out[#out + 1], out[#out + 2], out[#out + 3] = answered[at], answered[at + 1], concat(page)
    elseif letter == 'p' then
      -- What there was is not kept; what there is now is as good.
      letter = 'a'
    else
      for j = at, at + n - 1 do out[#out + 1] = answered[j] end
    end
    letters[#letters + 1] = letter
    at = at + n
  end
  out[1] = concat(letters)
  return out
end
