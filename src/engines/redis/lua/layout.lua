-- Layouts of the data: how a space is raised from the layout of an older release to that of this one, once no process of
-- the older release is left (docs/decisions/0028).

-- The layout of processes whose presences do not say which they know.
local UNTOLD = 4

-- By layout: converts data of the layout before it, a bounded slice in each call. Given '0' at first, returns where the
-- next slice begins, or nil at the end. A conversion begins when only libraries that know the layout are left, and until
-- it ends they read both forms. Layout 5 has prepared transactions, which layout 4 has not: there is nothing to convert.
-- Layout 7 has indexes in the order of a field: those of entries that newer processes have written meanwhile.
local CONVERTED = 100
local CONVERSIONS = {
  [7] = function(cursor)
    local got = call('HSCAN', keys.entries, cursor, 'COUNT', CONVERTED)
    local into = {}
    for i = 1, #got[2], 2 do
      local id, record = got[2][i], got[2][i + 1]
      local info = isSound(record) and indexInfo(signatureOf(record))
      if info and info.ordered and call('ZSCORE', info.index[1], id) then LATER.order.add(info, id, scoreOf(record), into) end
    end
    for key, list in pairs(into) do many('ZADD', key, list) end
    return got[1] ~= '0' and got[1] or nil
  end,
}

-- Returns the presences of processes that do not know a layout, and the greatest layout that all processes know.
local function unaware(layout)
  local all, older, least = call('ZRANGE', keys.presences, 0, -1), {}, LAYOUT
  for i = 1, #all do
    local known = tonumber(call('HGET', keysOf(all[i]).presence, 'layout') or UNTOLD)
    if known < layout then older[#older + 1] = all[i] end
    if known < least then least = known end
  end
  return older, least
end

-- Raises the space as far as all of its processes allow, and goes on with the conversion of its data. Returns whether
-- there is more to convert.
function LATER.raiseLayout()
  local least
  while counters.layout < LAYOUT and not counters.converting do
    if not least then least = select(2, unaware(LAYOUT)) end
    if least <= counters.layout then return false end
    counters.layout, countersChanged = counters.layout + 1, true
    counters.converting = CONVERSIONS[counters.layout] and '0' or nil
  end
  if not counters.converting then return false end
  flush()
  counters.converting, countersChanged = CONVERSIONS[counters.layout](counters.converting), true
  return counters.converting ~= nil
end

-- Most processes that a refusal names.
local MOST_NAMED = 8

-- Returns nil if the space has a layout, or can be raised to it now; else a refusal that names processes which do not know it.
function LATER.refusalBelow(layout)
  if counters.layout < layout then LATER.raiseLayout() end
  if counters.layout >= layout then return nil end
  local older = unaware(layout)
  return 'OLDER_PROCESSES ' .. concat(older, ' ', 1, math.min(#older, MOST_NAMED))
end
