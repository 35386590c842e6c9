-- Health of a ZimRoom or a ZimApp, by the conditions of kstatus: Reconciling goes on by itself, Stalled takes an edit.
-- The same file serves both kinds. Whatever an object lacks, or has in another type, it is Progressing at worst.

local function field(from, key)
  if type(from) == "table" then
    return from[key]
  end
  return nil
end

local function text(value, default)
  if type(value) == "string" and value ~= "" then
    return value
  end
  return default
end

local function health(status, message)
  return { status = status, message = message }
end

local status = field(obj, "status")
local generation = field(field(obj, "metadata"), "generation")

-- The condition of a type; an empty one if there is none.
local function condition(name)
  local conditions = field(status, "conditions")
  if type(conditions) == "table" then
    for _, candidate in pairs(conditions) do
      if field(candidate, "type") == name then
        return candidate
      end
    end
  end
  return {}
end

local function holds(name)
  return field(condition(name), "status") == "True"
end

local function message(name, default)
  return text(field(condition(name), "message"), default)
end

if field(field(obj, "metadata"), "deletionTimestamp") ~= nil then
  return health("Progressing", message("Ready", "Being deleted"))
end
if type(generation) ~= "number" or field(status, "observedGeneration") ~= generation then
  return health("Progressing", "Waiting for the operator")
end
if holds("Stalled") then
  return health("Degraded", message("Stalled", "An edit is needed"))
end
if holds("Reconciling") then
  return health("Progressing", message("Reconciling", "In progress"))
end
if field(condition("Ready"), "reason") == "Suspended" then
  return health("Suspended", message("Ready", "Suspended"))
end
if holds("Ready") and field(condition("Ready"), "observedGeneration") == generation then
  local pressure = message("QuotaPressure", message("Ready", "Ready"))
  return health("Healthy", message("ReplacementPending", pressure))
end
return health("Progressing", message("Ready", "Waiting for the operator"))
