-- Roots: the kinds under which a search for AnyEntry looks. A space remembers each root that a process has ever
-- announced; most may have no entries.

-- Roots that one command asks about.
local ROOTS_AT_ONCE = 64

-- Returns the roots whose index has entries. `keyOf`: names the index of a kind.
function LATER.rootsIn(keyOf)
  local roots, found = call('HKEYS', keys.kinds), {}
  for from = 1, #roots, ROOTS_AT_ONCE do
    local to = from + ROOTS_AT_ONCE - 1
    if to > #roots then to = #roots end
    local some = {}
    for j = from, to do some[#some + 1] = keyOf(roots[j]) end
    if call('EXISTS', unpack_(some)) > 0 then
      for j = from, to do
        if call('EXISTS', some[j - from + 1]) == 1 then found[#found + 1] = roots[j] end
      end
    end
  end
  return found
end
