-- The debugger's Lua side: the line hook, and what looks into the stack of a stopped script.
--
-- `native.debug_*` decide (debugger.py): whether to stop at a line, and what the person at the other end wants.
-- Only frames of the script are ever shown.  Code that is typed in runs in a coroutine, because no hook would run
-- within the hook itself, and nothing could end it.

local native, sandbox = ...
local create, resume, sethook, getinfo, getlocal =
  coroutine.create, coroutine.resume, debug.sethook, debug.getinfo, debug.getlocal
local type, next, rawget, tostring, select = type, next, rawget, tostring, select
local collectgarbage = collectgarbage
local byte, format, concat = string.byte, string.format, table.concat
local real_of = sandbox.real_of

local SCRIPT = '@user_script'
local TYPED = '@ldb_eval'
local EVERY = 100000  -- instructions between two looks at the time
local MAX_DEPTH = 10
local MAX_STEPS = 1000000
local GO_ON, PRINT, TRACE, EVAL, FAIL, STOP = 0, 1, 2, 3, 4, 5

-- Showing values ---------------------------------------------------------------------------------------------------

local ESCAPES = {['"'] = '\\"', ['\\'] = '\\\\', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t',
  ['\a'] = '\\a', ['\b'] = '\\b'}

local function escape(letter)
  return ESCAPES[letter] or format('\\x%02x', byte(letter))
end

local function put(out, text)
  out[#out + 1] = text
  out.left = out.left - #text
end

local function is_list(t, out)
  local expected = 1
  for k in next, t do
    if k ~= expected then return false end
    expected = expected + 1
    out.steps = out.steps + 1
    if out.steps > MAX_STEPS then return true end
  end
  return true
end

-- Append the text of a value to `out`, until out.left bytes are used up: a table may contain itself many times.
local function show(value, depth, out)
  local kind = type(value)
  if out.left < 0 or out.steps > MAX_STEPS then return end
  if depth == MAX_DEPTH then return put(out, '<max recursion level reached! Nested table?>') end
  if kind == 'string' then
    put(out, '"' .. (value:sub(1, out.left + 1):gsub('[%z\1-\31"\\\127-\255]', escape)) .. '"')
  elseif kind == 'number' then
    put(out, format('%g', value))
  elseif kind == 'boolean' or kind == 'nil' then
    put(out, tostring(value))
  elseif kind == 'table' then
    local t = real_of[value] or value
    local list, first = is_list(t, out), true
    put(out, '{')
    for k, v in next, t do
      if out.left < 0 or out.steps > MAX_STEPS then return end
      out.steps = out.steps + 1
      if not first then put(out, '; ') end
      first = false
      if not list then
        put(out, '[')
        show(k, depth + 1, out)
        put(out, ']=')
      end
      show(v, depth + 1, out)
    end
    put(out, '}')
  else
    put(out, '"' .. kind .. '@' .. tostring(value):match('0x%x+') .. '"')
  end
end

local function shown(value)
  local out = {left = native.debug_room(), steps = 0}
  show(value, 0, out)
  return concat(out)
end

-- Commands that look into the machine --------------------------------------------------------------------------------

-- Level of the stopped function as seen from a command below: the command, converse, the hook, the function.
local STOPPED = 4

local function print_all()
  local i, found = 1, false
  while true do
    local name, value = getlocal(STOPPED, i)
    if not name then break end
    if name ~= '(*temporary)' then
      native.debug_value('<value> ' .. name .. ' = ', shown(value))
      found = true
    end
    i = i + 1
  end
  if not found then native.debug_log('No local variables in the current context.') end
end

local function print_one(wanted)
  local level = STOPPED
  while true do
    local info = getinfo(level, 'S')
    if not info then break end
    local i = 1
    while info.source == SCRIPT do
      local name, value = getlocal(level, i)
      if not name then break end
      if name == wanted then return native.debug_value('<value> ', shown(value)) end
      i = i + 1
    end
    level = level + 1
  end
  if wanted == 'KEYS' or wanted == 'ARGV' then
    return native.debug_value('<value> ', shown(sandbox.script_globals[wanted]))
  end
  native.debug_log('No such variable.')
end

local function trace()
  local level = STOPPED
  while true do
    local info = getinfo(level, 'Snl')
    if not info then return end
    if info.source == SCRIPT then
      native.debug_log((level == STOPPED and 'In ' or 'From ') .. (info.name or 'top level') .. ':')
      native.debug_source(info.currentline)
    end
    level = level + 1
  end
end

local function evaluate(code)
  local fn, problem = sandbox.compile(sandbox.script_env, 'return ' .. code, TYPED)
  if not fn then fn, problem = sandbox.compile(sandbox.script_env, code, TYPED) end
  if not fn then return native.debug_log('<error> ' .. problem) end
  local thread = create(fn)
  local armed, mask = sandbox.arm(sandbox.hook, '')
  sethook(thread, sandbox.hook, '', EVERY)
  native.debug_limit(true)
  local ok, value = resume(thread)
  native.debug_limit(false)
  sandbox.arm(armed, mask)
  sandbox.forgive()
  thread = nil
  collectgarbage()  -- what it has left would be in the way of the next command
  if ok then return native.debug_value('<retval> ', shown(value)) end
  if type(value) == 'table' then value = rawget(value, 'err') end
  native.debug_log('<error> ' .. (type(value) == 'string' and value or 'unknown error'))
end

-- Talk until the script is to go on; return what it shall fail with, if anything.
local function converse()
  while true do
    local action, argument = native.debug_command()
    if action == GO_ON then return nil
    elseif action == PRINT then
      if argument then print_one(argument) else print_all() end
    elseif action == TRACE then trace()
    elseif action == EVAL then evaluate(argument)
    elseif action == FAIL then return argument
    elseif action == STOP then return sandbox.reason()
    end
  end
end

local function on_line(event)
  local info = getinfo(2, 'Sl')
  if not info or info.source ~= SCRIPT then return end
  local failed = sandbox.doomed() or event == 'count' and sandbox.reason()
  if failed then sandbox.doom(failed) end
  if not native.debug_stops(info.currentline, event == 'count') then return end
  local failure = converse()
  if failure then sandbox.doom(failure) end
end

function sandbox.redis.breakpoint()
  return native.debug_breakpoint()
end

function sandbox.redis.debug(...)
  if not native.debug_active() then return end
  local words = {}
  for i = 1, select('#', ...) do
    words[i] = shown((select(i, ...)))
  end
  native.debug_say(concat(words, ', '))
end

-- From now on stop at lines; sandbox.watch ends it.
function sandbox.debug()
  sandbox.arm(on_line, 'l')
  sethook(on_line, 'l', EVERY)
end
