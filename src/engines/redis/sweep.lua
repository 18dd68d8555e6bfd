-- Sweeping: what has ended is removed a bounded number at a time. Nobody sees it meanwhile; the check at match time is exact.

-- Each write is to be looked at about twice; what comes beyond that, after many were written at once, is spread over the calls that follow.
local SWEPT_PER_CALL, SWEPT_PER_WRITE, SWEPT_PER_BEAT = 8, 3, 256

local function sweep(budget)
  local sec = floor(now / 1000)
  while meta.sweep <= sec and budget > 0 do
    local key = P .. 'x' .. meta.sweep
    local ids = call('LPOP', key, budget)
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
