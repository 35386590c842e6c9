local actions = {}
actions["reconcile"] = { ["disabled"] = false }

-- Nobody looks at a room that is suspended or going.
if obj.spec ~= nil and obj.spec.suspend == true then
  actions["reconcile"]["disabled"] = true
end
if obj.metadata.deletionTimestamp ~= nil then
  actions["reconcile"]["disabled"] = true
end
return actions
