-- The `cjson` library: JSON (RFC 8259), with the options, limits and texts of lua-cjson 2.1, which Redis ships.

local native, sandbox = ...
local next, rawget, select, tonumber, tostring, type = next, rawget, select, tonumber, tostring, type
local byte, char, find, format, gsub, lower, match, sub, concat, floor, huge =
  string.byte, string.char, string.find, string.format, string.gsub, string.lower, string.match, string.sub,
  table.concat, math.floor, math.huge
local fail, bad_argument, protect, real_of = sandbox.fail, sandbox.bad_argument, sandbox.protect, sandbox.real_of

local null = newproxy(false)

local ESCAPES = {['"'] = '\\"', ['\\'] = '\\\\', ['/'] = '\\/', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n',
  ['\r'] = '\\r', ['\t'] = '\\t', ['\127'] = '\\u007f'}
for i = 0, 31 do
  ESCAPES[char(i)] = ESCAPES[char(i)] or format('\\u%04x', i)
end
local UNESCAPES = {['"'] = '"', ['\\'] = '\\', ['/'] = '/', b = '\b', f = '\f', n = '\n', r = '\r', t = '\t'}

-- Writing ----------------------------------------------------------------------------------------------------------

local function quote(text)
  if find(text, '[%z\1-\31"\\/\127]') then text = gsub(text, '[%z\1-\31"\\/\127]', ESCAPES) end
  return '"' .. text .. '"'
end

local function cannot(value, reason)
  fail('Cannot serialise ' .. type(value) .. ': ' .. reason)
end

local function number_text(value, options)
  if value ~= value or value == huge or value == -huge then
    local mode = options.encode_invalid_numbers
    if mode == 'null' then return 'null' end
    if not mode then cannot(value, 'must not be NaN or Inf') end
    return value ~= value and 'nan' or value > 0 and 'inf' or '-inf'
  end
  return format(options.number_format, value)
end

-- How many elements an array has, holes included; nil when the table is none.
local function array_length(t, options)
  local most, count = 0, 0
  for key in next, t do
    if type(key) ~= 'number' or key <= 0 or key ~= floor(key) then return nil end
    if key > most then most = key end
    count = count + 1
  end
  if options.sparse_ratio > 0 and most > count * options.sparse_ratio and most > options.sparse_safe then
    if not options.sparse_convert then cannot(t, 'excessively sparse array') end
    return nil
  end
  return most > 0 and most or nil
end

local write

local function write_table(t, out, depth, options)
  if depth > options.encode_max_depth then
    fail('Cannot serialise, excessive nesting (' .. depth .. ')')
  end
  t = real_of[t] or t
  local n = array_length(t, options)
  if n then
    out[#out + 1] = '['
    for i = 1, n do
      if i > 1 then out[#out + 1] = ',' end
      write(rawget(t, i), out, depth, options)
    end
    out[#out + 1] = ']'
    return
  end
  local separator = '{'
  for key, value in next, t do
    local kind = type(key)
    if kind == 'string' then key = quote(key)
    elseif kind == 'number' then key = '"' .. number_text(key, options) .. '"'
    else cannot(key, 'table key must be a number or string') end
    out[#out + 1] = separator
    out[#out + 1] = key
    out[#out + 1] = ':'
    write(value, out, depth, options)
    separator = ','
  end
  out[#out + 1] = separator == '{' and '{}' or '}'
end

write = function(value, out, depth, options)
  local kind = type(value)
  if kind == 'string' then out[#out + 1] = quote(value)
  elseif kind == 'number' then out[#out + 1] = number_text(value, options)
  elseif kind == 'boolean' then out[#out + 1] = tostring(value)
  elseif kind == 'table' then write_table(value, out, depth + 1, options)
  elseif value == nil or value == null then out[#out + 1] = 'null'
  else cannot(value, 'type not supported') end
end

-- Reading ----------------------------------------------------------------------------------------------------------

local SINGLE = {['{'] = 'T_OBJ_BEGIN', ['}'] = 'T_OBJ_END', ['['] = 'T_ARR_BEGIN', [']'] = 'T_ARR_END',
  [':'] = 'T_COLON', [','] = 'T_COMMA'}

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xc0 + floor(code / 0x40), 0x80 + code % 0x40) end
  if code < 0x10000 then
    return char(0xe0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xf0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40, 0x80 + floor(code / 0x40) % 0x40,
    0x80 + code % 0x40)
end

-- The character of the escape \uXXXX at `at`, and the position behind it; nil when it is none.
local function unicode(data, at)
  local digits = match(data, '^\\u(%x%x%x%x)', at)
  local code = digits and tonumber(digits, 16)
  if not code or (code >= 0xdc00 and code <= 0xdfff) then return nil end
  at = at + 6
  if code >= 0xd800 and code <= 0xdbff then
    digits = match(data, '^\\u(%x%x%x%x)', at)
    local low = digits and tonumber(digits, 16)
    if not low or low < 0xdc00 or low > 0xdfff then return nil end
    code = 0x10000 + (code - 0xd800) * 0x400 + low - 0xdc00
    at = at + 6
  end
  return utf8(code), at
end

-- Tokens: kind, value, position of the token, position behind it.  An error's value is its text.
local function string_token(data, at)
  local start, parts = at, nil
  at = at + 1
  while true do
    local stop = find(data, '["\\%z]', at)
    if not stop or byte(data, stop) == 0 then return 'T_ERROR', 'unexpected end of string', stop or #data + 1 end
    if parts or byte(data, stop) == 92 then
      parts = parts or {}
      parts[#parts + 1] = sub(data, at, stop - 1)
    end
    if byte(data, stop) == 34 then
      return 'T_STRING', parts and concat(parts) or sub(data, at, stop - 1), start, stop + 1
    end
    local code = sub(data, stop + 1, stop + 1)
    local text
    if code == 'u' then
      text, at = unicode(data, stop)
      if not text then return 'T_ERROR', 'invalid unicode escape code', stop end
    else
      text, at = UNESCAPES[code], stop + 2
      if not text then return 'T_ERROR', 'invalid escape code', stop end
    end
    parts[#parts + 1] = text
  end
end

-- A number as C's strtod takes it, which is more than JSON allows.
local function number_token(data, at)
  local first, last = find(data, '^[+-]?0[xX]%x+', at)
  if first then return 'T_NUMBER', tonumber(sub(data, first, last)) or 0, at, last + 1 end
  first, last = find(data, '^[+-]?%d+%.?%d*', at)
  if not first then first, last = find(data, '^[+-]?%.%d+', at) end
  if first then
    local _, behind = find(data, '^[eE][+-]?%d+', last + 1)
    last = behind or last
    return 'T_NUMBER', tonumber(sub(data, first, last)), at, last + 1
  end
  local sign, word = match(data, '^([+-]?)(%a+)', at)
  word = word and lower(word)
  for _, name in ipairs{'infinity', 'inf', 'nan'} do
    if word and sub(word, 1, #name) == name then
      local value = name == 'nan' and 0 / 0 or huge
      if sign == '-' then value = -value end
      return 'T_NUMBER', value, at, at + #sign + #name
    end
  end
  return 'T_ERROR', 'invalid number', at
end

local function is_invalid_number(data, at)
  return find(data, '^[+-]?0[xX]', at) or find(data, '^[+-]?0%d', at) or find(data, '^[+-]?[iI][nN][fF]', at)
    or find(data, '^[+-]?[nN][aA][nN]', at) or find(data, '^%+', at)
end

local function next_token(data, at, options)
  at = find(data, '[^ \t\n\r]', at)
  if not at then return 'T_END', nil, #data + 1, #data + 1 end
  local c = sub(data, at, at)
  local kind = SINGLE[c]
  if kind then return kind, nil, at, at + 1 end
  if c == '"' then return string_token(data, at) end
  if c == '-' or find(c, '%d') then
    if not options.decode_invalid_numbers and is_invalid_number(data, at) then
      return 'T_ERROR', 'invalid number', at
    end
    return number_token(data, at)
  end
  if sub(data, at, at + 3) == 'true' then return 'T_BOOLEAN', true, at, at + 4 end
  if sub(data, at, at + 4) == 'false' then return 'T_BOOLEAN', false, at, at + 5 end
  if sub(data, at, at + 3) == 'null' then return 'T_NULL', null, at, at + 4 end
  if options.decode_invalid_numbers and is_invalid_number(data, at) then return number_token(data, at) end
  if c == '\0' then return 'T_END', nil, at, at end
  return 'T_ERROR', 'invalid token', at
end

local function expected(what, kind, value, at)
  fail('Expected ' .. what .. ' but found ' .. (kind == 'T_ERROR' and value or kind) .. ' at character ' .. at)
end

local read

local function descend(depth, at, options)
  if depth > options.decode_max_depth then
    fail('Found too many nested data structures (' .. depth .. ') at character ' .. at - 1)
  end
end

local function read_object(data, at, depth, options)
  descend(depth, at, options)
  local result = {}
  local kind, key, where, value
  kind, key, where, at = next_token(data, at, options)
  if kind == 'T_OBJ_END' then return result, at end
  while true do
    if kind ~= 'T_STRING' then expected('object key string', kind, key, where) end
    kind, value, where, at = next_token(data, at, options)
    if kind ~= 'T_COLON' then expected('colon', kind, value, where) end
    result[key], at = read(depth, options, data, next_token(data, at, options))
    kind, value, where, at = next_token(data, at, options)
    if kind == 'T_OBJ_END' then return result, at end
    if kind ~= 'T_COMMA' then expected('comma or object end', kind, value, where) end
    kind, key, where, at = next_token(data, at, options)
  end
end

local function read_array(data, at, depth, options)
  descend(depth, at, options)
  local result, n = {}, 0
  local kind, value, where, behind = next_token(data, at, options)
  if kind == 'T_ARR_END' then return result, behind end
  while true do
    n = n + 1
    result[n], at = read(depth, options, data, kind, value, where, behind)
    kind, value, where, at = next_token(data, at, options)
    if kind == 'T_ARR_END' then return result, at end
    if kind ~= 'T_COMMA' then expected('comma or array end', kind, value, where) end
    kind, value, where, behind = next_token(data, at, options)
  end
end

read = function(depth, options, data, kind, value, where, behind)
  if kind == 'T_STRING' or kind == 'T_NUMBER' or kind == 'T_BOOLEAN' or kind == 'T_NULL' then return value, behind end
  if kind == 'T_OBJ_BEGIN' then return read_object(data, behind, depth + 1, options) end
  if kind == 'T_ARR_BEGIN' then return read_array(data, behind, depth + 1, options) end
  return expected('value', kind, value, where)
end

-- Options -------------------------------------------------------------------------------------------------------------

local function integer(position, name, value, least, most)
  local n = tonumber(value)
  if not n then bad_argument(position, name, 'number expected, got ' .. type(value)) end
  n = n < 0 and -floor(-n) or floor(n)
  if n < least or n > most then
    bad_argument(position, name, format('expected integer between %d and %d', least, most))
  end
  return n
end

local function expect_one(name, n)
  if n ~= 1 then bad_argument(1, name, 'expected 1 argument') end
end

local function at_most(n, most, name)
  if n > most then bad_argument(most + 1, name, 'found too many arguments') end
end

local function switch(position, name, value, words)
  if type(value) == 'boolean' then return value end
  if words[value] ~= nil then return words[value] end
  if type(value) ~= 'string' then
    bad_argument(position, name, 'string expected, got ' .. type(value))
  end
  return bad_argument(position, name, "invalid option '" .. value .. "'")
end

local ON_OFF = {on = true, off = false}
local ON_OFF_NULL = {on = true, off = false, null = 'null'}
local INT_MAX = 2147483647

local function option_integer(options, name, least, most, changed)
  return function(...)
    at_most(select('#', ...), 1, name)
    local value = ...
    if value ~= nil then options[name] = integer(1, name, value, least, most) end
    if changed then changed() end
    return options[name]
  end
end

local function option_switch(options, name, words)
  return function(...)
    at_most(select('#', ...), 1, name)
    local value = ...
    if value ~= nil then options[name] = switch(1, name, value, words) end
    return options[name]
  end
end

local new

local function decode_with(options)
  return function(...)
    expect_one('decode', select('#', ...))
    local data = ...
    if type(data) == 'number' then data = tostring(data) end
    if type(data) ~= 'string' then bad_argument(1, 'decode', 'string expected, got ' .. type(data)) end
    if #data >= 2 and (byte(data, 1) == 0 or byte(data, 2) == 0) then
      fail('JSON parser does not support UTF-16 or UTF-32')
    end
    local value, at = read(0, options, data, next_token(data, 1, options))
    local kind, text, where = next_token(data, at, options)
    if kind ~= 'T_END' then expected('the end', kind, text, where) end
    return value
  end
end

local function encode_with(options)
  return function(...)
    expect_one('encode', select('#', ...))
    local out = {}
    write((...), out, 0, options)
    return concat(out)
  end
end

new = function()
  local options = {
    encode_max_depth = 1000, decode_max_depth = 1000, encode_number_precision = 14, number_format = '%.14g',
    encode_keep_buffer = true, encode_invalid_numbers = false, decode_invalid_numbers = true,
    sparse_convert = false, sparse_ratio = 2, sparse_safe = 10,
  }
  local library = {_NAME = 'cjson', _VERSION = '2.1.0', null = null, new = new}
  library.encode = encode_with(options)
  library.decode = decode_with(options)
  library.encode_max_depth = option_integer(options, 'encode_max_depth', 1, INT_MAX)
  library.decode_max_depth = option_integer(options, 'decode_max_depth', 1, INT_MAX)
  library.encode_number_precision = option_integer(options, 'encode_number_precision', 1, 14, function()
    options.number_format = '%.' .. options.encode_number_precision .. 'g'
  end)
  library.encode_keep_buffer = option_switch(options, 'encode_keep_buffer', ON_OFF)
  library.encode_invalid_numbers = option_switch(options, 'encode_invalid_numbers', ON_OFF_NULL)
  library.decode_invalid_numbers = option_switch(options, 'decode_invalid_numbers', ON_OFF)
  library.encode_sparse_array = function(...)
    local name = 'encode_sparse_array'
    at_most(select('#', ...), 3, name)
    local convert, ratio, safe = ...
    if convert ~= nil then options.sparse_convert = switch(1, name, convert, ON_OFF) end
    if ratio ~= nil then options.sparse_ratio = integer(2, name, ratio, 0, INT_MAX) end
    if safe ~= nil then options.sparse_safe = integer(3, name, safe, 0, INT_MAX) end
    return options.sparse_convert, options.sparse_ratio, options.sparse_safe
  end
  return protect(library)
end

sandbox.base.cjson = new()
