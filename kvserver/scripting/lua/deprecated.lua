-- What `lua-enable-deprecated-api yes` gives back: getfenv, setfenv, newproxy.
--
-- Only functions of scripts can get another environment, and only tables come back: never the server's own.

local native, sandbox = ...
if not native.deprecated then return end

local getinfo, raw_setfenv = debug.getinfo, setfenv
local type, getmetatable, setmetatable, tonumber = type, getmetatable, setmetatable, tonumber
local fail, bad_argument = sandbox.fail, sandbox.bad_argument

local given = setmetatable({}, {__mode = 'k'})  -- function -> the environment that a script has given it
local base = sandbox.base

-- The function meant by a function or by a level of the stack, counted from the script.
local function which(value, name)
  if type(value) == 'function' then return value end
  local wanted = value == nil and 1 or tonumber(value)
  if not wanted or wanted < 0 then bad_argument(1, name, 'level must be non-negative') end
  local level = 2
  while true do
    local info = getinfo(level, 'Sf')
    if not info then bad_argument(1, name, 'invalid level') end
    if info.source ~= '=redis' and info.source ~= '=redis library' then
      if wanted <= 1 then return info.func end
      wanted = wanted - 1
    end
    level = level + 1
  end
end

function base.getfenv(value)
  return given[which(value, 'getfenv')] or sandbox.script_env
end

function base.setfenv(value, env)
  if type(env) ~= 'table' then bad_argument(2, 'setfenv', 'table expected, got ' .. type(env)) end
  local fn = which(value, 'setfenv')
  local info = getinfo(fn, 'S')
  if info.what == 'C' or info.source == '=redis' or info.source == '=redis library' then
    fail("'setfenv' cannot change environment of given object")
  end
  given[fn] = env
  return raw_setfenv(fn, env)
end

-- A proxy is a table here: userdata could have finalizers, which would run outside of any script.
function base.newproxy(meta)
  if meta == true then return setmetatable({}, {}) end
  if type(meta) == 'table' then return setmetatable({}, getmetatable(meta)) end
  return {}
end
