-- The `cmsgpack` library: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), in the forms that
-- Redis's library of that name writes.

local native, sandbox = ...
local next, rawget, select, tostring, type, unpack = next, rawget, select, tostring, type, unpack
local byte, char, sub, concat, floor = string.byte, string.char, string.sub, table.concat, math.floor
local fail, bad_argument, real_of = sandbox.fail, sandbox.bad_argument, sandbox.real_of

local MAX_DEPTH = 16
local TWO32 = 2 ^ 32

local function big_endian(value, size)
  return native.pack_integer(value, size, false) or fail('not enough memory')
end

local function pack_integer(value)
  if value >= 0 then
    if value <= 127 then return char(value) end
    if value <= 0xff then return '\204' .. char(value) end
    if value <= 0xffff then return '\205' .. big_endian(value, 2) end
    if value <= 0xffffffff then return '\206' .. big_endian(value, 4) end
    return '\207' .. big_endian(value, 8)
  end
  if value >= -32 then return char(256 + value) end
  if value >= -128 then return '\208' .. big_endian(value, 1) end
  if value >= -32768 then return '\209' .. big_endian(value, 2) end
  if value >= -2147483648 then return '\210' .. big_endian(value, 4) end
  return '\211' .. big_endian(value, 8)
end

local function pack_number(value)
  if value == floor(value) and value >= -2 ^ 63 and value < 2 ^ 63 then return pack_integer(value) end
  local short = native.pack_float(value, 4, false) or fail('not enough memory')
  if native.unpack_float(short, false) == value then return '\202' .. short end
  return '\203' .. (native.pack_float(value, 8, false) or fail('not enough memory'))
end

-- A header of one of three sizes: in the first byte, in two bytes behind `medium`, in four behind `long`.
local function header(n, small, most, medium, long)
  if n <= most then return char(small + n) end
  if n <= 0xffff then return medium .. big_endian(n, 2) end
  return long .. big_endian(n, 4)
end

local function pack_string(text)
  local n = #text
  if n > 31 and n <= 0xff then return '\217' .. char(n) .. text end
  return header(n, 0xa0, 31, '\218', '\219') .. text
end

-- How many elements an array has; nil when the table is none.
local function array_length(t)
  local count, most = 0, 0
  for key in next, t do
    if type(key) ~= 'number' or key <= 0 or key ~= floor(key) then return nil end
    count = count + 1
    if key > most then most = key end
  end
  return most == count and count or nil
end

local function pack_value(value, out, depth)
  local kind = type(value)
  if kind == 'string' then out[#out + 1] = pack_string(value)
  elseif kind == 'boolean' then out[#out + 1] = value and '\195' or '\194'
  elseif kind == 'number' then out[#out + 1] = pack_number(value)
  elseif kind == 'table' and depth < MAX_DEPTH then
    value = real_of[value] or value
    local n = array_length(value)
    if n then
      out[#out + 1] = header(n, 0x90, 15, '\220', '\221')
      for i = 1, n do pack_value(rawget(value, i), out, depth + 1) end
    else
      n = 0
      for _ in next, value do n = n + 1 end
      out[#out + 1] = header(n, 0x80, 15, '\222', '\223')
      for key, item in next, value do
        pack_value(key, out, depth + 1)
        pack_value(item, out, depth + 1)
      end
    end
  else
    out[#out + 1] = '\192'
  end
end

local function pack(...)
  local n = select('#', ...)
  if n == 0 then bad_argument(0, 'pack', 'MessagePack pack needs input.') end
  local args, out = {...}, {}
  for i = 1, n do pack_value(args[i], out, 0) end
  return concat(out)
end

local MISSING = 'Missing bytes in input.'

local function unsigned(data, at, size)
  if at + size - 1 > #data then fail(MISSING) end
  local value = 0
  for i = at, at + size - 1 do value = value * 256 + byte(data, i) end
  return value
end

local function signed(data, at, size)
  if at + size - 1 > #data then fail(MISSING) end
  return native.unpack_integer(sub(data, at, at + size - 1), true, false)
end

local function float(data, at, size)
  if at + size - 1 > #data then fail(MISSING) end
  return native.unpack_float(sub(data, at, at + size - 1), false)
end

local function text(data, at, size)
  if at + size - 1 > #data then fail(MISSING) end
  return sub(data, at, at + size - 1), at + size
end

local read_value

local function array(data, at, n)
  local result = {}
  for i = 1, n do
    result[i], at = read_value(data, at)
  end
  return result, at
end

local function map(data, at, n)
  local result = {}
  for _ = 1, n do
    local key, value
    key, at = read_value(data, at)
    value, at = read_value(data, at)
    if key ~= nil and key == key then result[key] = value end
  end
  return result, at
end

-- First byte -> how to read what follows it, and with which size.
local FIXED = {
  [0xcc] = {unsigned, 1}, [0xcd] = {unsigned, 2}, [0xce] = {unsigned, 4}, [0xcf] = {unsigned, 8},
  [0xd0] = {signed, 1}, [0xd1] = {signed, 2}, [0xd2] = {signed, 4}, [0xd3] = {signed, 8},
  [0xca] = {float, 4}, [0xcb] = {float, 8},
}
local SIZED = {
  [0xd9] = {text, 1}, [0xda] = {text, 2}, [0xdb] = {text, 4},
  [0xdc] = {array, 2}, [0xdd] = {array, 4}, [0xde] = {map, 2}, [0xdf] = {map, 4},
}

read_value = function(data, at)
  local first = byte(data, at)
  if not first then fail(MISSING) end
  at = at + 1
  if first <= 0x7f then return first, at end
  if first >= 0xe0 then return first - 256, at end
  if first <= 0x8f then return map(data, at, first - 0x80) end
  if first <= 0x9f then return array(data, at, first - 0x90) end
  if first <= 0xbf then return text(data, at, first - 0xa0) end
  if first == 0xc0 then return nil, at end
  if first == 0xc2 then return false, at end
  if first == 0xc3 then return true, at end
  local row = FIXED[first]
  if row then return row[1](data, at, row[2]), at + row[2] end
  row = SIZED[first]
  if not row then fail('Bad data format in input.') end
  return row[1](data, at + row[2], unsigned(data, at, row[2]))
end

local function expect_text(name, ...)
  local value = ...
  if type(value) == 'string' or type(value) == 'number' then return tostring(value) end
  local got = select('#', ...) == 0 and 'no value' or type(value)
  return bad_argument(1, name, 'string expected, got ' .. got)
end

local function unpack_some(data, limit, offset)
  if offset < 0 or limit < 0 then
    fail('Invalid request to unpack with offset of ' .. offset .. ' and limit of ' .. #data .. '.')
  end
  if offset > #data then fail('Start offset ' .. offset .. ' greater than input length ' .. #data .. '.') end
  local all = limit == 0 and offset == 0
  local values, count, at = {}, 0, offset + 1
  if not all then count = 1 end
  local most = all and math.huge or limit + 1
  while at <= #data and count < most do
    count = count + 1
    values[count], at = read_value(data, at)
  end
  if not all then values[1] = at > #data and -1 or at - 1 end
  return unpack(values, 1, count)
end

local function integer(position, name, value, default)
  if value == nil and default then return default end
  local n = tonumber(value) or bad_argument(position, name, 'number expected, got ' .. (value == nil and 'no value'
    or type(value)))
  return n < 0 and -floor(-n) or floor(n)
end

local library = {
  _NAME = 'cmsgpack', _VERSION = 'lua-cmsgpack 0.4.0',
  _COPYRIGHT = 'Copyright (C) 2012, Redis Ltd.', _DESCRIPTION = 'MessagePack C implementation for Lua',
  pack = pack,
  unpack = function(...) return unpack_some(expect_text('unpack', ...), 0, 0) end,
  unpack_one = function(...)
    local data = expect_text('unpack_one', ...)
    return unpack_some(data, 1, integer(2, 'unpack_one', (select(2, ...)), 0))
  end,
  unpack_limit = function(...)
    local data = expect_text('unpack_limit', ...)
    local limit = integer(2, 'unpack_limit', (select(2, ...)))
    return unpack_some(data, limit, integer(3, 'unpack_limit', (select(3, ...)), 0))
  end,
}
sandbox.base.cmsgpack = sandbox.protect(library)
