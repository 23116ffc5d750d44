-- The sandbox in which scripts run, and the `redis` table they see.
--
-- Scripts never hold a real library table: they see proxies whose reads go through `__index` and whose writes
-- fail, because Lua 5.1 has no read-only tables.  What could write around a metatable (rawset, table.insert, ...)
-- is replaced by functions that know the proxies.  Chunks of the server are named SOURCE, so that error positions
-- can skip them.  `native` holds the server's own functions; they are never handed to a script, which could
-- otherwise reach Python, and they get nothing but numbers and strings, so that calling them allocates nothing.

local native = ...
local SOURCE = '=redis'
local OURS = {[SOURCE] = true, ['=redis library'] = true}  -- the latter may be stopped at any line
local READONLY = 'Attempt to modify a readonly table'
local NO_MEMORY = 'not enough memory'
local HOOK_EVERY = 10000  -- instructions
local HEAVY = 65536  -- kB in use: strings may be so long that an instruction takes milliseconds
local HOOK_EVERY_HEAVY = 100

local assert, collectgarbage, error, next, pairs, pcall = assert, collectgarbage, error, next, pairs, pcall
local rawequal, rawget, rawset, select, setfenv, tonumber = rawequal, rawget, rawset, select, setfenv, tonumber
local tostring, type, unpack, xpcall, setmetatable, getmetatable =
    tostring, type, unpack, xpcall, setmetatable, getmetatable
local loadstring, load, getinfo, sethook = loadstring, load, debug.getinfo, debug.sethook
local format, concat, byte, match = string.format, table.concat, string.byte, string.match
local plain_find = string.find  -- Lua's own, which can't be stopped; scripts get another

local check  -- below: asks whether to go on
local LONG_SOURCE = 4096  -- bytes
local MOST_PATCHED = 1048576

-- Errors -------------------------------------------------------------------------------------------------------

-- The innermost frame that belongs to a script, or nil.
local function script_frame()
  local level = 2
  while true do
    local info = getinfo(level, 'Sl')
    if not info then return nil end
    if info.what ~= 'C' and info.what ~= 'tail' and not OURS[info.source] then return info end
    level = level + 1
  end
end

-- Raise `text` with the script's position in front, as luaL_error does.
local function fail(text)
  local info = script_frame()
  if info then text = info.short_src .. ':' .. info.currentline .. ': ' .. text end
  error(text, 0)
end

local function bad_argument(position, name, text)
  fail("bad argument #" .. position .. " to '" .. name .. "' (" .. text .. ")")
end

-- An error of the API: a table, which carries no position until it leaves the script.
local function raise(text, counted)
  error({err = text, ignore_error_stats_update = counted or nil}, 0)
end

local real_of = setmetatable({}, {__mode = 'k'})  -- a read-only table -> the table behind it

-- Make the table that a failing script ends with: text, source and line.
local function on_error(err)
  if type(err) ~= 'table' then
    err = {err = 'ERR ' .. tostring(err)}
  elseif real_of[err] then
    err = {err = 'ERR unknown error'}
  end
  local info = script_frame()
  if info then
    rawset(err, 'source', info.source)
    rawset(err, 'line', info.currentline)
  end
  return err
end

-- Read-only tables -----------------------------------------------------------------------------------------------

local shown_metatable = {}

local function deny()
  fail(READONLY)
end

local function protect(real, shown)
  local proxy = setmetatable({}, {__index = real, __newindex = deny, __metatable = false})
  real_of[proxy] = real
  shown_metatable[proxy] = shown
  return proxy
end

local function undefined(_, name)
  fail("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'")
end

local undefined_metatable = {__index = undefined}

-- The base library ---------------------------------------------------------------------------------------------

local base = {
  _VERSION = _VERSION, assert = assert, error = error, gcinfo = gcinfo,
  rawequal = rawequal, select = select, tonumber = tonumber, tostring = tostring, type = type,
}

-- As in Redis, an error table is its text to whoever catches it.
local function settle(ok, err, ...)
  if not ok and type(err) == 'table' and type(rawget(err, 'err')) == 'string' then return false, rawget(err, 'err') end
  return ok, err, ...
end

function base.pcall(...)
  return settle(pcall(...))
end

local MOST_RESULTS = 8000

-- Lua's own counts the results in a C integer, and trusts what overflows it.
function base.unpack(t, first, last)
  if type(t) ~= 'table' then bad_argument(1, 'unpack', 'table expected, got ' .. (t == nil and 'nil' or type(t))) end
  if first == nil and last == nil then
    if #t >= MOST_RESULTS then fail('too many results to unpack') end
    return unpack(t)
  end
  first = first == nil and 1 or tonumber(first) or bad_argument(2, 'unpack', 'number expected, got ' .. type(first))
  last = last == nil and #t or tonumber(last) or bad_argument(3, 'unpack', 'number expected, got ' .. type(last))
  if not (last - first < MOST_RESULTS) then fail('too many results to unpack') end
  return unpack(t, first, last)
end

local COLLECT = {collect = true, count = true, step = true}

-- The collector's settings are the server's: what would change them does nothing.
function base.collectgarbage(option, argument)
  option = option or 'collect'
  if COLLECT[option] then return collectgarbage(option, argument) end
  return 0
end

function base.rawset(t, k, v)
  if real_of[t] then error(READONLY, 0) end
  if type(t) ~= 'table' then bad_argument(1, 'rawset', 'table expected, got ' .. type(t)) end
  return rawset(t, k, v)
end

function base.rawget(t, k)
  if type(t) ~= 'table' then bad_argument(1, 'rawget', 'table expected, got ' .. type(t)) end
  return rawget(real_of[t] or t, k)
end

function base.setmetatable(t, meta)
  if real_of[t] then error(READONLY, 0) end
  if type(t) ~= 'table' then bad_argument(1, 'setmetatable', 'table expected, got ' .. type(t)) end
  if meta ~= nil and type(meta) ~= 'table' then bad_argument(2, 'setmetatable', 'nil or table expected') end
  return setmetatable(t, meta)
end

function base.getmetatable(value)
  if type(value) == 'userdata' then return nil end
  if type(value) == 'table' and real_of[value] then return shown_metatable[value] end
  return getmetatable(value)
end

local function expect_table(t, name)
  if type(t) ~= 'table' then bad_argument(1, name, 'table expected, got ' .. (t == nil and 'nil' or type(t))) end
end

function base.next(t, k)
  expect_table(t, 'next')
  return next(real_of[t] or t, k)
end

-- The iterator that pairs hands out gives the real table as its state; a script must not keep that.
function base.pairs(t)
  expect_table(t, 'pairs')
  local real = real_of[t]
  if not real then return next, t, nil end
  return function(_, k) return next(real, k) end, t, nil
end
base.ipairs = ipairs

-- Compile source, never bytecode, as a script that sees `env`.
local function compile(env, source, name)
  if byte(source) == 27 then return nil, 'binary chunks are not loaded' end
  if OURS[name] then name = '=(load)' end  -- a script that passes for the server's own code couldn't be stopped
  if #source > LONG_SOURCE then check() end
  local fn, problem = loadstring(source, name)
  if not fn then return nil, problem end
  local patched = #source <= MOST_PATCHED and native.keep_frames(string.dump(fn))
  if patched then fn = loadstring(patched, name) or fn end
  setfenv(fn, env)
  return fn
end

local function loaders(env)
  local function load_string(source, name)
    if type(source) ~= 'string' and type(source) ~= 'number' then
      bad_argument(1, 'loadstring', 'string expected, got ' .. type(source))
    end
    source = tostring(source)
    return compile(env, source, name or source)
  end
  local function load_pieces(reader, name)
    if type(reader) ~= 'function' then bad_argument(1, 'load', 'function expected, got ' .. type(reader)) end
    local pieces = {}
    while true do
      local piece = reader()
      if piece == nil or piece == '' then break end
      if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
      pieces[#pieces + 1] = piece
    end
    return compile(env, concat(pieces), name or '=(load)')
  end
  return load_string, load_pieces
end

-- Time: a hook asks the server, every so many instructions, whether to go on -----------------------------------------

local REASONS = {
  'ERR Script killed by user with SCRIPT KILL.',
  'ERR Function killed by user with FUNCTION KILL.',
  'ERR FUNCTION LOAD timeout',
  'ERR the code took too long, and was stopped',
}

local hook
local killed = false
local doomed  -- what the script ends with, when that isn't the server's decision but the debugger's
local interval = HOOK_EVERY
local armed, mask  -- the hook that coroutines get: this one, or the debugger's

-- Fail here, and from now on at each line, so that no pcall gets away.
local function doom(reason)
  killed = true
  sethook(hook, 'l')
  error({err = reason}, 0)
end

hook = function()
  local reason = doomed or REASONS[native.tick()]
  if not reason then
    local every = collectgarbage('count') > HEAVY and HOOK_EVERY_HEAVY or HOOK_EVERY
    if every ~= interval and armed == hook then
      interval = every
      sethook(hook, '', every)
    end
    return
  end
  killed = true
  sethook(hook, 'l')
  local info = getinfo(2, 'S')
  if info and info.source ~= SOURCE then error({err = reason}, 0) end
end

local function watch()
  killed, doomed = false, nil
  armed, mask, interval = hook, '', HOOK_EVERY
  sethook(hook, '', HOOK_EVERY)
end

-- Ask whether to go on: what takes long in C does, as no hook runs there.
check = function()
  local reason = doomed or REASONS[native.tick()]
  if reason then doom(reason) end
end

-- No hook runs while one does, and a handler for its error would: it could go on for ever.
function base.xpcall(fn, handler)
  return xpcall(fn, function(err)
    if killed then return err end
    return handler(err)
  end)
end

local create, resume, running, status, wrap, yield =
  coroutine.create, coroutine.resume, coroutine.running, coroutine.status, coroutine.wrap, coroutine.yield

local function new_thread(fn)
  if type(fn) ~= 'function' then bad_argument(1, 'create', 'Lua function expected') end
  local thread = create(fn)
  sethook(thread, armed, mask, interval)
  return thread
end

local function check_resumed(ok, ...)
  if ok then return ... end
  local problem = ...
  if type(problem) == 'string' then fail(problem) end
  error(problem, 0)
end

local thread_library = {
  create = new_thread, resume = resume, running = running, status = status, yield = yield,
  wrap = function(fn)
    local thread = new_thread(fn)
    return function(...) return check_resumed(resume(thread, ...)) end
  end,
}

-- Libraries of Lua itself ----------------------------------------------------------------------------------------

local function copy(t, ...)
  local result = {}
  for _, name in ipairs{...} do result[name] = t[name] end
  return result
end

local string_library = {}
for name, value in pairs(string) do string_library[name] = value end
local repeated = string.rep
string_library.rep = function(text, n, ...)
  if text == '' then return '' end  -- as often as may be: Lua's own would take its time
  if type(text) ~= 'string' and type(text) ~= 'number' then
    bad_argument(1, 'rep', 'string expected, got ' .. (text == nil and 'no value' or type(text)))
  end
  return repeated(text, tonumber(n) or bad_argument(2, 'rep', 'number expected, got '
    .. (n == nil and 'no value' or type(n))))
end

local table_library = {}
for name, fn in pairs(table) do
  table_library[name] = fn
end
local math_library = copy(math, 'abs', 'acos', 'asin', 'atan2', 'atan', 'ceil', 'cosh', 'cos', 'deg', 'exp',
  'floor', 'fmod', 'frexp', 'huge', 'ldexp', 'log10', 'log', 'max', 'min', 'mod', 'modf', 'pi', 'pow', 'rad',
  'sinh', 'sin', 'sqrt', 'tanh', 'tan')

math_library.random = function(...)
  local r = native.random()
  local n = select('#', ...)
  if n == 0 then return r end
  local low, high = ...
  low = tonumber(low) or bad_argument(1, 'random', 'number expected, got ' .. type(low))
  if n == 1 then low, high = 1, low
  elseif n == 2 then high = tonumber(high) or bad_argument(2, 'random', 'number expected, got ' .. type(high))
  else fail('wrong number of arguments') end
  if low > high then bad_argument(n, 'random', 'interval is empty') end
  return math.floor(r * (high - low + 1)) + low
end

math_library.randomseed = function(seed)
  seed = tonumber(seed) or bad_argument(1, 'randomseed', 'number expected, got ' .. type(seed))
  native.seed(seed)
end

-- Replies to scripts, and what scripts reply --------------------------------------------------------------------

local script_proto = 2

local function line_safe(text)
  if #text < LONG_SOURCE and not plain_find(text, '[\r\n]') then return text end
  return (text:gsub('[\r\n]', ' '))
end

local MAX_DEPTH = 100
local encode_value

local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end

local function null(proto)
  return proto == 3 and '_\r\n' or '$-1\r\n'
end

local function encode_array(value, proto, out, depth)
  local at = #out + 1
  out[at] = ''
  local n = 0
  while true do
    local item = rawget(value, n + 1)
    if item == nil then break end
    n = n + 1
    encode_value(item, proto, out, depth + 1)
  end
  out[at] = '*' .. n .. '\r\n'
end

local function encode_pairs(value, proto, out, depth, with_values)
  local at = #out + 1
  out[at] = ''
  local n = 0
  for k, v in next, value do
    n = n + 1
    encode_value(k, proto, out, depth + 1)
    if with_values then encode_value(v, proto, out, depth + 1) end
  end
  if proto == 3 then
    out[at] = (with_values and '%' or '~') .. n .. '\r\n'
  else
    out[at] = '*' .. (with_values and 2 * n or n) .. '\r\n'
  end
end

local function encode_table(value, proto, out, depth)
  local special = rawget(value, 'err')
  if type(special) == 'string' then out[#out + 1] = '-' .. line_safe(special) .. '\r\n' return end
  special = rawget(value, 'ok')
  if type(special) == 'string' then out[#out + 1] = '+' .. line_safe(special) .. '\r\n' return end
  special = rawget(value, 'double')
  if type(special) == 'number' then
    local text = format('%.17g', special)
    out[#out + 1] = proto == 3 and ',' .. text .. '\r\n' or bulk(text)
    return
  end
  special = rawget(value, 'map')
  if type(special) == 'table' then return encode_pairs(special, proto, out, depth, true) end
  special = rawget(value, 'set')
  if type(special) == 'table' then return encode_pairs(special, proto, out, depth, false) end
  special = rawget(value, 'big_number')
  if type(special) == 'string' then
    special = line_safe(special)
    out[#out + 1] = proto == 3 and '(' .. special .. '\r\n' or bulk(special)
    return
  end
  special = rawget(value, 'verbatim_string')
  if type(special) == 'table' then
    local kind, text = rawget(special, 'format'), rawget(special, 'string')
    if type(kind) == 'string' and type(text) == 'string' then
      out[#out + 1] = proto == 3 and '=' .. (#text + 4) .. '\r\n' .. (kind .. '   '):sub(1, 3) .. ':' .. text .. '\r\n'
        or bulk(text)
      return
    end
  end
  return encode_array(value, proto, out, depth)
end

encode_value = function(value, proto, out, depth)
  local kind = type(value)
  if kind == 'string' then
    out[#out + 1] = bulk(value)
  elseif kind == 'number' then
    out[#out + 1] = format(':%d\r\n', value)
  elseif kind == 'boolean' then
    if script_proto == 3 then
      if proto == 3 then out[#out + 1] = value and '#t\r\n' or '#f\r\n'
      else out[#out + 1] = value and ':1\r\n' or ':0\r\n' end
    else
      out[#out + 1] = value and ':1\r\n' or null(proto)
    end
  elseif kind == 'table' and not real_of[value] then
    if depth > MAX_DEPTH then
      out[#out + 1] = '-ERR reached lua stack limit\r\n'
      return
    end
    encode_table(value, proto, out, depth)
  elseif kind == 'table' then
    out[#out + 1] = '*0\r\n'
  else
    out[#out + 1] = null(proto)
  end
end

local function encode(value, proto)
  local kind = type(value)
  if kind == 'string' then return '$' .. #value .. '\r\n' .. value .. '\r\n' end
  if kind == 'number' then return format(':%d\r\n', value) end
  local out = {}
  encode_value(value, proto, out, 0)
  return concat(out)
end

-- The redis table ------------------------------------------------------------------------------------------------

local NOT_STRINGS = 'ERR Lua redis lib command arguments must be strings or integers'
local NO_ARGUMENTS = 'ERR Please specify at least one argument for this redis lib call'
local plain = {string = true, number = true}

local function unusable(...)
  local n = select('#', ...)
  if n == 0 then return NO_ARGUMENTS end
  if n <= 4 then
    local a, b, c, d = ...
    if plain[type(a)] and (n < 2 or plain[type(b)]) and (n < 3 or plain[type(c)]) and (n < 4 or plain[type(d)]) then
      return nil
    end
    return NOT_STRINGS
  end
  local args = {...}
  for i = 1, n do
    if not plain[type(args[i])] then return NOT_STRINGS end
  end
  return nil
end

-- Lua's stack is too short to hand thousands of arguments on: they go as one string and their lengths.
local MANY = 200

local function packed_call(...)
  local args, lengths = {...}, {}
  for i = 1, #args do
    local arg = args[i]
    if type(arg) == 'number' then arg = format('%.17g', arg) end
    args[i], lengths[i] = arg, #arg
  end
  return native.call_packed(concat(lengths, ' '), concat(args))
end

local native_call, native_may = native.call, native.may
local STATUS, ERROR, TABLE, MEMORY, UNUSABLE = 1, 2, 3, 4, 5

local function received(raises, value, kind, text)
  if kind == nil or kind == TABLE then return value end
  if kind == STATUS then return {ok = text} end
  if kind == MEMORY then fail(NO_MEMORY) end
  if raises then raise(text, true) end
  return {err = text, ignore_error_stats_update = true}
end

local function call(...)
  local problem = unusable(...)
  if problem then raise(problem) end
  if select('#', ...) > MANY then return received(true, packed_call(...)) end
  local value, kind, text = native_call(...)
  if kind == nil then return value end
  return received(true, value, kind, text)
end

local function protected_call(...)
  local problem = unusable(...)
  if problem then return {err = problem} end
  if select('#', ...) > MANY then return received(false, packed_call(...)) end
  return received(false, native_call(...))
end

-- Where there is a bridge in C (bridge.py), it looks at the arguments itself, and takes any number of them.
local direct = native.direct
if direct then
  call = function(...)
    local value, kind, text = direct(...)
    if kind == nil then return value end
    if kind == UNUSABLE then raise(unusable(...)) end
    return received(true, value, kind, text)
  end
  protected_call = function(...)
    local value, kind, text = direct(...)
    if kind == UNUSABLE then return {err = unusable(...)} end
    return received(false, value, kind, text)
  end
end

-- Split "-CODE text" or "text" into an error table, as redis.error_reply and the API's own errors do.
local function error_reply(...)
  local text = ...
  if select('#', ...) ~= 1 or type(text) ~= 'string' then return {err = 'ERR wrong number or type of arguments'} end
  text = text:gsub('[\r\n]+$', '')
  if text:sub(1, 1) == '-' then text = text:sub(2) end
  if not text:find(' ', 1, true) then text = 'ERR ' .. text end
  return {err = text}
end

local function status_reply(...)
  local text = ...
  if select('#', ...) ~= 1 or type(text) ~= 'string' then return {err = 'ERR wrong number or type of arguments'} end
  return {ok = text}
end

local levels = {LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3}

local function log(...)
  local n = select('#', ...)
  if n < 2 then raise('ERR redis.log() requires two arguments or more.') end
  local level = ...
  if type(level) ~= 'number' then raise('ERR First argument must be a number (log level).') end
  if not (level >= 0 and level <= 3) then raise('ERR Invalid debug level.') end
  local words = {}
  for i = 2, n do
    local word = select(i, ...)
    if plain[type(word)] then words[#words + 1] = word end
  end
  native.log(level, concat(words, ' '))
end

local redis = {
  call = call, pcall = protected_call, error_reply = error_reply, status_reply = status_reply, log = log,
  REDIS_VERSION = native.version, REDIS_VERSION_NUM = native.version_number,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
  replicate_commands = function() return true end,
}  -- `breakpoint` and `debug` come with the debugger.

function redis.sha1hex(...)
  local text = ...
  if select('#', ...) ~= 1 then raise('ERR wrong number of arguments') end
  return native.sha1hex(plain[type(text)] and tostring(text) or '') or fail(NO_MEMORY)
end

function redis.setresp(...)
  local version = ...
  if select('#', ...) ~= 1 then raise('ERR redis.setresp() requires one argument.') end
  if version ~= 2 and version ~= 3 then raise('ERR RESP version must be 2 or 3.') end
  script_proto = version
  native.setresp(version)
end

function redis.set_repl(...)
  local flags = ...
  if select('#', ...) ~= 1 then raise('ERR redis.set_repl() requires two arguments.') end
  if type(flags) ~= 'number' or not (flags >= 0 and flags <= 3) then
    raise('ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
  end
  native.set_repl(flags)
end

function redis.acl_check_cmd(...)
  local problem = unusable(...)
  if problem then raise(problem) end
  local allowed = native_may(...)
  if allowed == nil then raise('ERR Invalid command passed to redis.acl_check_cmd()') end
  return allowed
end

local SCRIPTS_ONLY = {breakpoint = true, debug = true, replicate_commands = true}

local loading_redis = {
  log = log, REDIS_VERSION = native.version, REDIS_VERSION_NUM = native.version_number,
  -- `register_function` comes with the module of function libraries.
}

for name, level in pairs(levels) do
  redis[name] = level
  loading_redis[name] = level
end

-- Environments -----------------------------------------------------------------------------------------------------

base.redis = protect(redis)
base.string = protect(string_library)
base.table = protect(table_library)
base.math = protect(math_library)
base.coroutine = protect(thread_library)
getmetatable('').__index = string_library
getmetatable('').__metatable = protect({__index = base.string})

local function environment(globals, metatable)
  setmetatable(globals, metatable)
  return protect(globals, protect({__index = undefined}))
end

local script_globals = {}
local function_globals = setmetatable({}, undefined_metatable)
local script_env = environment(script_globals, undefined_metatable)

-- Give an environment the base, with the libraries that other chunks have added to it.
local function publish(globals, env)
  for name, value in pairs(base) do rawset(globals, name, value) end
  rawset(globals, '_G', env)
  local load_string, load_pieces = loaders(env)
  rawset(globals, 'loadstring', load_string)
  rawset(globals, 'load', load_pieces)
end

-- Running ---------------------------------------------------------------------------------------------------------

local function describe(err)
  local text = rawget(err, 'err')
  if type(text) ~= 'string' then text = 'ERR unknown error' end
  local source, line = rawget(err, 'source'), rawget(err, 'line')
  if source and line then return text, source .. ':' .. line, rawget(err, 'ignore_error_stats_update') end
  return text, nil, rawget(err, 'ignore_error_stats_update')
end

-- A string or a whole number is handed back as it is; all else as (true, encoded reply, counted already?).
local function finish(proto, ok, value)
  if ok then
    local kind = type(value)
    if kind == 'string' then return value end
    if kind == 'number' and value % 1 == 0 and value < 1e15 and value > -1e15 then return value end
    local counted = nil
    if kind == 'table' and not real_of[value] and type(rawget(value, 'err')) == 'string' then
      counted = rawget(value, 'ignore_error_stats_update')
    end
    return true, encode(value, proto), counted
  end
  if type(value) ~= 'table' then value = {err = 'ERR ' .. tostring(value)} end
  return false, describe(value)
end

local function split1(key, ...)
  return {key}, {...}
end

local function split(n, ...)
  if n == 0 then return {}, {...} end
  if n == 1 then return split1(...) end
  local keys, argv = {}, {...}
  for i = 1, n do keys[i] = argv[i] end
  local rest = {}
  for i = n + 1, #argv do rest[i - n] = argv[i] end
  return keys, rest
end

local function run_script(fn, proto, n, ...)
  script_proto = 2
  local keys, argv = split(n, ...)
  script_globals.KEYS, script_globals.ARGV = keys, argv
  return finish(proto, xpcall(fn, on_error))
end

local called, called_keys, called_argv

local function invoke()
  return called(called_keys, called_argv)
end

local function run_function(fn, proto, n, ...)
  script_proto = 2
  called_keys, called_argv = split(n, ...)
  called = fn
  return finish(proto, xpcall(invoke, on_error))
end

-- What can be run, by numbers; whoever may run it holds it.
local kept, last_kept = setmetatable({}, {__mode = 'v'}), 0

watch()

return {
  base = base, bad_argument = bad_argument, compile = compile, describe = describe, fail = fail,
  function_globals = function_globals, loading_redis = loading_redis,
  on_error = on_error, protect = protect, publish = publish, raise = raise, run_function = run_function,
  run_script = run_script, script_env = script_env, undefined_metatable = undefined_metatable, watch = watch,
  real_of = real_of, environment = environment, hook = hook, redis = redis, script_globals = script_globals,
  check = check, string_library = string_library, table_library = table_library, readonly = READONLY,
  arm = function(new, new_mask)
    local old, old_mask = armed, mask
    armed, mask = new, new_mask
    return old, old_mask
  end,
  doom = function(reason)
    doomed = reason
    doom(reason)
  end,
  kept = kept,
  keep = function(fn)
    last_kept = last_kept + 1
    kept[last_kept] = fn
    return last_kept
  end,
  forgive = function() killed, doomed = false, nil end,
  reason = function() return doomed or REASONS[native.tick()] end,
  doomed = function() return doomed end,
  finish_setup = function(library_env)
    publish(script_globals, script_env)
    publish(function_globals, library_env)
    local for_functions = {}
    for name, value in pairs(redis) do
      if not SCRIPTS_ONLY[name] then for_functions[name] = value end
    end
    rawset(function_globals, 'redis', protect(for_functions))
  end,
  run_many = function(fn, proto, keys, argv, is_function)
    if is_function then
      script_proto, called, called_keys, called_argv = 2, fn, keys, argv
      return finish(proto, xpcall(invoke, on_error))
    end
    script_proto = 2
    script_globals.KEYS, script_globals.ARGV = keys, argv
    return finish(proto, xpcall(fn, on_error))
  end,
  compile_script = function(source) return compile(script_env, source, '@user_script') end,
}
