-- Sweeping: what has ended is removed a bounded number at a time. Nobody sees it meanwhile; the check at match time is exact.
-- shares: SWEPT_PER_CALL, SWEPT_PER_WRITE, SWEPT_PER_BEAT, MOST_SWEPT, sweep

-- Each write is to be looked at about twice; what comes beyond that, after many were written at once, is spread over the calls that follow.
local SWEPT_PER_CALL, SWEPT_PER_WRITE, SWEPT_PER_BEAT = 8, 3, 256

-- So many at a time, since Lua's stack takes no more than some thousands of values; and no call holds the server for longer than a few ms.
local SWEPT_AT_ONCE = 1000
local MOST_SWEPT = 2000

local function sweep(budget)
  local sec = floor(now / 1000)
  if budget > MOST_SWEPT then budget = MOST_SWEPT end
  while meta.sweep <= sec and budget > 0 do
    local key = P .. 'x' .. meta.sweep
    local ids = call('LPOP', key, budget < SWEPT_AT_ONCE and budget or SWEPT_AT_ONCE)
    if not ids or #ids == 0 then
      meta.sweep = meta.sweep + 1
      budget = budget - 1
      metaDirty = true
    else
      budget = budget - #ids
      local recs = call('HMGET', P .. 'e', unpack_(ids))
      for i = 1, #ids do
        local rec = recs[i]
        if rec then
          if expired(rec) then
            remove(ids[i], rec)
          elseif sub(rec, 1, 13) ~= NEVER then
            local list = bucket(tonumber(sub(rec, 1, 13)), tonumber(sub(rec, 14, 26)))
            list[#list + 1] = ids[i]
          end
        end
      end
    end
  end
end
