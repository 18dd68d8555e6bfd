-- Templates, as processes send them.
-- shares: readTemplate

local function split(text)
  local list = {}
  for part in gmatch(text, '[^|]+') do list[#list + 1] = part end
  return list
end

-- Templates that were parsed, for the calls that follow: most are few texts again and again.
local parsedTemplates, templateCount = {}, 0
local MOST_TEMPLATES = 256

-- Parses a template: kind, root, then the indexed, the verified and the compound tokens, separated by tabs, and behind
-- one more tab the conditions, if there are any. Returns the spec of a wait or search for the template.
local function readTemplate(text, mode)
  local template = parsedTemplates[text]
  if not template then
    local kind, root, indexed, verified, compound, conditions, orderedBy =
      text:match('^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t?([^\t]*)\t?([^\t]*)$')
    template = { kind = kind, root = root, indexed = split(indexed), verified = split(verified),
      compound = compound ~= '' and split(compound) or nil, conditions = conditions ~= '' and conditions or nil,
      orderedBy = orderedBy ~= '' and orderedBy or nil }
    if templateCount >= MOST_TEMPLATES then parsedTemplates, templateCount = {}, 0 end
    parsedTemplates[text], templateCount = template, templateCount + 1
  end
  return { mode = mode, kind = template.kind, root = template.root, indexed = template.indexed, verified = template.verified,
    compound = template.compound, conditions = template.conditions, orderedBy = template.orderedBy }
end
