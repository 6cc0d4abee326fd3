-- The Lua run of the benchmark: strings, tables and closures that are built and dropped, with a few that stay.
-- The argument is a factor; 1 takes about a second. Prints one line that does not depend on the allocator.
local scale = tonumber(arg[1] or "1")
local state = 12345
local function random(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return state // 65536 % n + 1
end

local stays, sum = {}, 0
for i = 1, math.floor(125000 * scale) do
  local parts = {}
  for j = 1, 4 do parts[j] = string.format("%d:%d", i, random(1000)) end
  local text = table.concat(parts, ",")
  local record = {id = i, text = text, size = #text, parent = stays[random(5000)] and random(5000)}
  stays[random(5000)] = record
  local total = 0
  for word in text:gmatch("%d+") do total = total + tonumber(word) end
  local add = function(x) return x + record.size end
  sum = (sum * 31 + add(total)) % 2147483647
end
for i = 1, 5000 do
  if stays[i] then sum = (sum * 31 + stays[i].id) % 2147483647 end
end
print(string.format("checksum lua %016x", sum))
