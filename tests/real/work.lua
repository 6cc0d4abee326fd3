-- A deterministic workload: tables, strings, closures, coroutines, binary trees, string building and sorting.
local function tree(depth)
  if depth == 0 then return {} end
  return {tree(depth - 1), tree(depth - 1)}
end
local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end

local state = 42
local function random(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return state % n + 1
end

for depth = 4, 14, 2 do
  local sum = 0
  for _ = 1, 1 << (14 - depth) do sum = sum + count(tree(depth)) end
  print("trees of depth " .. depth, sum)
end

local words, index = {}, {}
for i = 1, 60000 do
  local word = string.format("w%05d-%s", random(20000), string.rep(string.char(96 + random(26)), random(20)))
  words[i] = word
  index[word] = (index[word] or 0) + 1
end
table.sort(words)
local distinct, most = 0, 0
for _, n in pairs(index) do
  distinct = distinct + 1
  most = math.max(most, n)
end
print("words", #words, distinct, most, words[1], words[#words])

local parts = {}
for i = 1, 20000 do parts[#parts + 1] = words[i]:upper():reverse():gsub("A", "<%0>") end
local text = table.concat(parts, ",")
local sum = 0
for i = 1, #text do sum = (sum * 31 + text:byte(i)) % 4294967296 end
print("text", #text, sum)

local made, total = {}, 0
for i = 1, 3000 do
  made[i] = coroutine.wrap(function()
    local kept = {i}
    for j = 1, 10 do
      kept[#kept + 1] = tostring(j) .. words[(i * j) % #words + 1]
      coroutine.yield(#kept[#kept])
    end
    return #kept
  end)
end
for _ = 1, 11 do
  for i = 1, #made do total = total + made[i]() end
end
print("coroutines", total)

local weak = setmetatable({}, {__mode = "k"})
for i = 1, 1000 do weak[{}] = i end
collectgarbage()
print("weak", next(weak) == nil, "pcall", select(2, pcall(error, {code = 7})).code)
