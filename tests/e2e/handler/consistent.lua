-- Counts answers by the policy that gave them; one whose body and rule are of different policies is `mixed`.
local threads = {}
function setup(thread)
  thread:set("ant", 0)
  thread:set("bee", 0)
  thread:set("mixed", 0)
  table.insert(threads, thread)
end
function response(status, headers, body)
  local rule = headers["x-heddle-rule"]
  if status == 200 and body == "ant" and rule == "route echo/ant" then
    ant = ant + 1
  elseif status == 200 and body == "bee" and rule == "route echo/bee" then
    bee = bee + 1
  else
    mixed = mixed + 1
  end
end
function done()
  local ants, bees, all = 0, 0, 0
  for _, thread in ipairs(threads) do
    ants = ants + thread:get("ant")
    bees = bees + thread:get("bee")
    all = all + thread:get("mixed")
  end
  io.write(string.format("ant %d bee %d mixed %d \n", ants, bees, all))
end
