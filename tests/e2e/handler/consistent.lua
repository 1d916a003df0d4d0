-- Counts answers by the policy that gave them; one that neither of them gives is `mixed`.
local threads = {}
function setup(thread)
  thread:set("first", 0)
  thread:set("denied", 0)
  thread:set("mixed", 0)
  table.insert(threads, thread)
end
function response(status, headers, body)
  if status == 200 and body == "first" then
    first = first + 1
  elseif status == 403 and headers["x-heddle-rule"] == "access echo/bee" then
    denied = denied + 1
  else
    mixed = mixed + 1
  end
end
function done()
  local firsts, denials, all = 0, 0, 0
  for _, thread in ipairs(threads) do
    firsts = firsts + thread:get("first")
    denials = denials + thread:get("denied")
    all = all + thread:get("mixed")
  end
  io.write(string.format("first %d denied %d mixed %d \n", firsts, denials, all))
end
