-- The `bit` library: operations on 32 bits (https://bitop.luajit.org/api.html).

local native, sandbox = ...
local select, tonumber, type, format, sub, upper = select, tonumber, type, string.format, string.sub, string.upper

local function number(position, name, ...)
  local value = tonumber((...))
  if value then return value end
  local got = select('#', ...) == 0 and 'no value' or type((...))
  return sandbox.bad_argument(position, name, 'number expected, got ' .. got)
end

local library = {}

for _, name in ipairs{'tobit', 'bnot', 'bswap'} do
  local operation = native[name]
  library[name] = function(...) return operation(number(1, name, ...)) end
end

for _, name in ipairs{'band', 'bor', 'bxor'} do
  local operation = native[name]
  library[name] = function(...)
    local result = native.tobit(number(1, name, ...))
    for i = 2, select('#', ...) do
      result = operation(result, number(i, name, (select(i, ...))))
    end
    return result
  end
end

for _, name in ipairs{'lshift', 'rshift', 'arshift', 'rol', 'ror'} do
  local operation = native[name]
  library[name] = function(...)
    local value = number(1, name, ...)
    return operation(value, number(2, name, select(2, ...)))
  end
end

function library.tohex(...)
  local value = native.tobit(number(1, 'tohex', ...)) % 2 ^ 32
  local n = 8
  if select('#', ...) > 1 then n = native.tobit(number(2, 'tohex', select(2, ...))) end
  local digits = format('%08x', value)
  if n < 0 then
    n = -n
    digits = upper(digits)
  end
  if n > 8 then n = 8 end
  return n == 0 and '' or sub(digits, -n)
end

sandbox.base.bit = sandbox.protect(library)
