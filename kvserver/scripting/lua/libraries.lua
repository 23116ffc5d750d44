-- Function libraries: FUNCTION LOAD runs a chunk that may only register functions; they see everything later.

local native, sandbox = ...
local type, rawget, rawset, pairs, ipairs, next, setmetatable, xpcall, select =
  type, rawget, rawset, pairs, ipairs, next, setmetatable, xpcall, select
local raise, real_of = sandbox.raise, sandbox.real_of

local FLAGS = {['no-writes'] = true, ['allow-oom'] = true, ['allow-stale'] = true, ['no-cluster'] = true,
  ['allow-cross-slot-keys'] = true}

local registered  -- functions of the library that is being loaded; nil when none is

local function read_flags(flags)
  local names = {}
  for i = 1, #flags do
    local name = rawget(flags, i)
    if type(name) ~= 'string' or not FLAGS[name] then raise('ERR unknown flag given') end
    names[#names + 1] = name
  end
  return table.concat(names, ' ')
end

local function from_table(given)
  local name, callback, description, flags
  for key, value in next, real_of[given] or given do
    if type(key) ~= 'string' then
      raise('ERR unknown argument given to redis.register_function')
    elseif key == 'function_name' then
      if type(value) ~= 'string' then
        raise('ERR function_name argument given to redis.register_function must be a string')
      end
      name = value
    elseif key == 'description' then
      if type(value) ~= 'string' then
        raise('ERR description argument given to redis.register_function must be a string')
      end
      description = value
    elseif key == 'callback' then
      if type(value) ~= 'function' then
        raise('ERR callback argument given to redis.register_function must be a function')
      end
      callback = value
    elseif key == 'flags' then
      if type(value) ~= 'table' then
        raise('ERR flags argument to redis.register_function must be a table representing function flags')
      end
      flags = read_flags(value)
    else
      raise('ERR unknown argument given to redis.register_function')
    end
  end
  if not name then raise('ERR redis.register_function must get a function name argument') end
  if not callback then raise('ERR redis.register_function must get a callback argument') end
  return name, callback, description, flags
end

local function register_function(...)
  local n = select('#', ...)
  if n < 1 or n > 2 then raise('ERR wrong number of arguments to redis.register_function') end
  local name, callback = ...
  local description, flags
  if n == 1 then
    if type(name) ~= 'table' then
      raise('ERR calling redis.register_function with a single argument is only applicable to Lua table '
        .. '(representing named arguments).')
    end
    name, callback, description, flags = from_table(name)
  else
    if type(name) == 'number' then name = tostring(name) end
    if type(name) ~= 'string' then raise('ERR first argument to redis.register_function must be a string') end
    if type(callback) ~= 'function' then
      raise('ERR second argument to redis.register_function must be a function')
    end
  end
  if not registered then raise('ERR redis.register_function can only be called on FUNCTION LOAD command') end
  if not native.is_name(name) then
    raise('ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one '
      .. 'character long')
  end
  for _, other in ipairs(registered) do
    if other.name == name then raise('ERR Function already exists in the library') end
  end
  registered[#registered + 1] = {name = name, callback = callback, description = description, flags = flags or ''}
end

local loading = {redis = setmetatable(sandbox.loading_redis, sandbox.undefined_metatable)}
loading.redis.register_function = register_function
loading.redis = sandbox.protect(loading.redis)
setmetatable(loading, sandbox.undefined_metatable)

-- One environment for all libraries, in which the globals of the moment are looked up: few during the load.
local current = loading
local env = sandbox.environment({}, {__index = function(_, name) return current[name] end})
local full = sandbox.function_globals
sandbox.finish_setup(env)

sandbox.load_library = function(source)
  local fn, problem = sandbox.compile(env, source, '@user_function')
  if not fn then return false, 'Error compiling function: ' .. problem end
  registered, current = {}, loading
  local ok, err = xpcall(fn, sandbox.on_error)
  local functions = registered
  registered, current = nil, full
  if not ok then
    local text = type(err) == 'table' and sandbox.describe(err) or 'ERR ' .. tostring(err)
    return false, 'Error registering functions: ' .. text
  end
  if #functions == 0 then return false, 'No functions registered' end
  return functions
end
