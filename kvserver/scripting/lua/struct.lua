-- The `struct` library: numbers and strings in binary forms, as in Roberto Ierusalimschy's library of that name.

local native, sandbox = ...
local select, tonumber, tostring, type, unpack = select, tonumber, tostring, type, unpack
local byte, char, find, rep, sub, concat = string.byte, string.char, string.find, string.rep, string.sub, table.concat
local fail, bad_argument = sandbox.fail, sandbox.bad_argument

local MAX_SIZE = 32
local NATIVE_ALIGN = 8
local SIZES = {b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1}
local INTEGERS = {b = true, B = true, h = true, H = true, l = true, L = true, T = true, i = true, I = true}

-- Read a number from the format; return it, or `default`, and the position behind it.
local function read_number(format, at, default)
  local first, last = find(format, '^%d+', at)
  if not first then return default, at end
  local n = tonumber(sub(format, first, last))
  if n > 2147483647 then fail('integral size overflow') end
  return n, last + 1
end

local function size_of(format, at, option)
  local size = SIZES[option]
  if size then return size, at end
  if option == 'c' then return read_number(format, at, 1) end
  if option == 'i' or option == 'I' then
    size, at = read_number(format, at, 4)
    if size > MAX_SIZE then fail('integral size ' .. size .. ' is larger than limit of ' .. MAX_SIZE) end
    return size, at
  end
  return 0, at
end

local function padding(position, state, option, size)
  if size == 0 or option == 'c' then return 0 end
  if size > state.align then size = state.align end
  return (size - position % size) % size
end

-- Apply an option that says how to read the others; return the position in the format behind it.
local function control(format, at, option, state, name)
  if option == ' ' then return at end
  if option == '>' then state.little = false
  elseif option == '<' then state.little = true
  elseif option == '!' then
    local align
    align, at = read_number(format, at, NATIVE_ALIGN)
    local power = align
    while power > 1 and power % 2 == 0 do power = power / 2 end
    if power ~= 1 then fail('alignment ' .. align .. ' is not a power of 2') end
    state.align = align
  else
    bad_argument(1, name, "invalid format option '" .. option .. "'")
  end
  return at
end

local function got(n, position, value)
  return position > n and 'no value' or type(value)
end

local function text_argument(position, name, n, value)
  if type(value) == 'string' then return value end
  if type(value) == 'number' then return tostring(value) end
  return bad_argument(position, name, 'string expected, got ' .. got(n, position, value))
end

local function number_argument(position, name, n, value)
  return tonumber(value) or bad_argument(position, name, 'number expected, got ' .. got(n, position, value))
end

local function packed_integer(value, size, little)
  local width = size > 8 and 8 or size
  local text = native.pack_integer(value, width, little) or fail('not enough memory')
  if size == width then return text end
  local zeros = rep('\0', size - width)
  return little and text .. zeros or zeros .. text
end

local function pack(...)
  local n = select('#', ...)
  local args = {...}
  local format = text_argument(1, 'pack', n, args[1])
  local state, out, total, at, arg = {little = true, align = 1}, {}, 0, 1, 2
  while at <= #format do
    local option = sub(format, at, at)
    local size
    size, at = size_of(format, at + 1, option)
    local pad = padding(total, state, option, size)
    total = total + pad
    out[#out + 1] = rep('\0', pad)
    if INTEGERS[option] then
      out[#out + 1] = packed_integer(number_argument(arg, 'pack', n, args[arg]), size, state.little)
      arg = arg + 1
    elseif option == 'x' then
      out[#out + 1] = '\0'
    elseif option == 'f' or option == 'd' then
      local value = number_argument(arg, 'pack', n, args[arg])
      out[#out + 1] = native.pack_float(value, size, state.little) or fail('not enough memory')
      arg = arg + 1
    elseif option == 'c' or option == 's' then
      local text = text_argument(arg, 'pack', n, args[arg])
      arg = arg + 1
      if size == 0 then size = #text end
      if #text < size then bad_argument(arg, 'pack', 'string too short') end
      out[#out + 1] = sub(text, 1, size)
      if option == 's' then
        out[#out + 1] = '\0'
        size = size + 1
      end
    else
      at = control(format, at, option, state, 'pack')
    end
    total = total + size
  end
  return concat(out)
end

local function read_integer(data, at, size, option, little)
  local text = sub(data, at + 1, at + size)
  if size > 8 then text = little and sub(text, 1, 8) or sub(text, -8) end
  local value = native.unpack_integer(text, find(option, '%l') ~= nil, little)
  return value
end

local function unpack_values(...)
  local n = select('#', ...)
  local format, data, start = ...
  format = text_argument(1, 'unpack', n, format)
  data = text_argument(2, 'unpack', n, data)
  local position = start == nil and 1 or number_argument(3, 'unpack', n, start)
  if not (position >= 1) then bad_argument(3, 'unpack', 'offset must be 1 or greater') end
  position = position - 1
  local state, values, count, at = {little = true, align = 1}, {}, 0, 1
  while at <= #format do
    local option = sub(format, at, at)
    local size
    size, at = size_of(format, at + 1, option)
    position = position + padding(position, state, option, size)
    if position + size > #data then bad_argument(2, 'unpack', 'data string too short') end
    if INTEGERS[option] then
      count = count + 1
      values[count] = read_integer(data, position, size, option, state.little)
    elseif option == 'f' or option == 'd' then
      count = count + 1
      values[count] = native.unpack_float(sub(data, position + 1, position + size), state.little)
    elseif option == 'c' then
      if size == 0 then
        if count == 0 or type(values[count]) ~= 'number' then fail("format 'c0' needs a previous size") end
        size = values[count]
        count = count - 1
        if size < 0 or position + size > #data then bad_argument(2, 'unpack', 'data string too short') end
      end
      count = count + 1
      values[count] = sub(data, position + 1, position + size)
    elseif option == 's' then
      local zero = find(data, '\0', position + 1, true) or find(data, '%z', position + 1)
      if not zero then fail('unfinished string in data') end
      count = count + 1
      values[count] = sub(data, position + 1, zero - 1)
      size = zero - position
    elseif option ~= 'x' then
      at = control(format, at, option, state, 'unpack')
    end
    position = position + size
  end
  values[count + 1] = position + 1
  return unpack(values, 1, count + 1)
end

local function size(...)
  local format = text_argument(1, 'size', select('#', ...), (...))
  local state, position, at = {little = true, align = 1}, 0, 1
  while at <= #format do
    local option = sub(format, at, at)
    local width
    width, at = size_of(format, at + 1, option)
    position = position + padding(position, state, option, width)
    if option == 's' then bad_argument(1, 'size', "option 's' has no fixed size") end
    if option == 'c' and width == 0 then bad_argument(1, 'size', "option 'c0' has no fixed size") end
    if not find(option, '%w') then at = control(format, at, option, state, 'size') end
    position = position + width
  end
  return position
end

sandbox.base.struct = sandbox.protect({pack = pack, unpack = unpack_values, size = size})
