-- The functions of the table library that change tables: none of them may write through a read-only table, and none
-- may be busy for long in C, where nothing could stop it.  A table's length is where it ends, not how much it holds:
-- one of thirty elements may say that it has a thousand million.

local native, sandbox = ...
local error, pcall, rawget, rawset, select, tonumber, type, unpack =
  error, pcall, rawget, rawset, select, tonumber, type, unpack
local floor, match, gsub = math.floor, string.match, string.gsub
local C = {insert = table.insert, remove = table.remove, sort = table.sort, setn = table.setn}
local fail, bad_argument, library, real_of = sandbox.fail, sandbox.bad_argument, sandbox.table_library, sandbox.real_of

local MANY = 10000  -- elements that C may move
local MOST = 2 ^ 31  -- C's integers end here, and what is beyond becomes something else

local function passed(name, ok, ...)
  if ok then return ... end
  local problem = ...
  if type(problem) == 'string' and (match(problem, '^bad argument') or match(problem, '^wrong number')
      or match(problem, '^invalid order') or match(problem, '^attempt to compare') or match(problem, "^'setn'")) then
    fail((gsub(problem, "to '%?'", "to '" .. name .. "'")))
  end
  error(problem, 0)
end

-- A position as C reads it; nil when it is none.
local function position(value)
  value = tonumber(value)
  if not value or value ~= value then return nil end
  return value < 0 and -floor(-value) or floor(value)
end

function library.insert(t, ...)
  if real_of[t] then error(sandbox.readonly, 0) end
  local n = select('#', ...)
  if type(t) ~= 'table' or n < 1 or n > 2 then return passed('insert', pcall(C.insert, t, ...)) end
  if n == 1 then
    t[#t + 1] = (...)
    return
  end
  local at, value = ...
  local last, first = #t + 1, position(at)
  if first and first > last then last = first end
  if not first or (last - first <= MANY and first < MOST and first > -MOST) then return passed('insert', pcall(C.insert, t, at, value)) end
  for i = last, first + 1, -1 do rawset(t, i, rawget(t, i - 1)) end
  rawset(t, first, value)
end

function library.remove(t, ...)
  if real_of[t] then error(sandbox.readonly, 0) end
  local first = type(t) == 'table' and select('#', ...) > 0 and position((...))
  if not first or (#t - first <= MANY and first > -MOST) then return passed('remove', pcall(C.remove, t, ...)) end
  local last = #t
  if first < 1 or first > last then return end
  local value = rawget(t, first)
  for i = first, last - 1 do rawset(t, i, rawget(t, i + 1)) end
  rawset(t, last, nil)
  return value
end

local function smaller(a, b)
  return a < b
end

-- With a function to compare by there is always Lua code between C's steps.
function library.sort(t, ...)
  if real_of[t] then error(sandbox.readonly, 0) end
  local compare = ...
  if type(t) == 'table' and compare == nil and #t > MANY then return passed('sort', pcall(C.sort, t, smaller)) end
  return passed('sort', pcall(C.sort, t, ...))
end

function library.setn(t, ...)
  if real_of[t] then error(sandbox.readonly, 0) end
  return passed('setn', pcall(C.setn, t, ...))
end
