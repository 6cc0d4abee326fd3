-- Builds generation after generation of records, each twice as large as the one before, checks each against its
-- parents and drops these. Takes two to three seconds and prints one line per generation that depends on every record.
local state = 2024
local function random(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return state // 65536 % n + 1
end

local function record(i, parent)
  return {
    name = string.format("record-%07d-%d", i, random(30000)),
    parent = parent,
    children = {random(100), random(100), random(100)},
  }
end

local function build(count, parents)
  local generation = {}
  for i = 1, count do
    generation[i] = record(i, parents[random(#parents)])
  end
  return generation
end

local function digest(generation)
  local sum = 0
  for _, r in ipairs(generation) do
    sum = (sum * 31 + #r.name + r.name:byte(-1) + r.children[1] * r.children[2] - r.children[3]) % 2147483647
    if r.parent then sum = (sum + #r.parent.name * r.parent.children[1]) % 2147483647 end
  end
  return sum
end

local function forget_parents(generation)
  for _, r in ipairs(generation) do r.parent = nil end
end

local generation = {record(0, nil)}
for number, count in ipairs {5000, 10000, 20000, 40000, 80000, 160000, 320000, 400000} do
  generation = build(count, generation)
  print(string.format("generation %d: %6d records, digest %d", number, count, digest(generation)))
  forget_parents(generation)
end
