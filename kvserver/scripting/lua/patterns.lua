-- Patterns (string.find, match, gmatch, gsub) that can be stopped.
--
-- Lua's own matcher is C: no hook runs while it works, some patterns keep it busy for years ('a?' forty times and
-- then 'a' forty times), and one with a million repetitions overflows C's stack, which ends the process.  So each
-- pattern is looked at first: when the matcher's worst case is small it is used, as almost always; otherwise the
-- pattern is matched here, in Lua, slower but with hooks.  Both give the same results and the same errors; see
-- https://www.lua.org/manual/5.1/manual.html#5.4.1 for what a pattern means.

local native, sandbox = ...
local byte, char, sub = string.byte, string.char, string.sub
local error, ipairs, pcall, tonumber, tostring, type, unpack = error, ipairs, pcall, tonumber, tostring, type, unpack
local concat, min, floor = table.concat, math.min, math.floor
local fail, bad_argument, check = sandbox.fail, sandbox.bad_argument, sandbox.check
local library = sandbox.string_library
local C = {find = string.find, match = string.match, gmatch = string.gmatch, gsub = string.gsub}

local MOST_STEPS = 5e8  -- of the C matcher: about a second
local MANY_STEPS = 1e6  -- after so many the time is looked at
local MOST_REPEATS = 200  -- of which each is a frame of C's stack
local LONGEST = 20000  -- bytes of a pattern that is taken apart
local MOST_CAPTURES = 32
local MOST_KEPT = 500
local POSITION, UNFINISHED = -2, -1

-- Reading a pattern ------------------------------------------------------------------------------------------------

local ONE, OPEN, CLOSE, MARK, BALANCE, FRONTIER, BACK, LAST, BROKEN = 1, 2, 3, 4, 5, 6, 7, 8, 9

-- The position behind the class that begins at `at`: a character, an escape, or a set.
local function class_end(p, at)
  local c = byte(p, at)
  at = at + 1
  if c == 37 then
    if at > #p then return nil, "malformed pattern (ends with '%')" end
    return at + 1
  end
  if c ~= 91 then return at end
  if byte(p, at) == 94 then at = at + 1 end
  repeat
    local inner = byte(p, at)
    if not inner then return nil, "malformed pattern (missing ']')" end
    at = at + 1
    if inner == 37 and at <= #p then at = at + 1 end
  until byte(p, at) == 93
  return at + 1
end

local QUANTIFIERS = {[42] = '*', [43] = '+', [45] = '-', [63] = '?'}

local function broken(items, problem)
  items[#items + 1] = {kind = BROKEN, text = problem}
  return items, problem
end

-- The items of a pattern from `at` on; where it isn't well-formed, which matters only if that place is reached, the last
-- one says why, and so does the second result.
local function parse(p, at)
  local items = {}
  while at <= #p do
    local c, following = byte(p, at), byte(p, at + 1)
    local item
    if c == 40 then
      local mark = following == 41
      item = {kind = mark and MARK or OPEN}
      at = at + (mark and 2 or 1)
    elseif c == 41 then
      item = {kind = CLOSE}
      at = at + 1
    elseif c == 36 and at == #p then
      item = {kind = LAST}
      at = at + 1
    elseif c == 37 and following == 98 then
      if at + 3 > #p then return broken(items, 'unbalanced pattern') end
      item = {kind = BALANCE, opening = byte(p, at + 2), closing = byte(p, at + 3)}
      at = at + 4
    elseif c == 37 and following == 102 then
      at = at + 2
      if byte(p, at) ~= 91 then return broken(items, "missing '[' after '%f' in pattern") end
      local behind, problem = class_end(p, at)
      if not behind then return broken(items, problem) end
      item = {kind = FRONTIER, text = sub(p, at, behind - 1)}
      at = behind
    elseif c == 37 and following and following >= 48 and following <= 57 then
      item = {kind = BACK, number = following - 48}
      at = at + 2
    else
      local behind, problem = class_end(p, at)
      if not behind then return broken(items, problem) end
      item = {kind = ONE, text = sub(p, at, behind - 1), quantifier = QUANTIFIERS[byte(p, behind)]}
      at = behind + (item.quantifier and 1 or 0)
    end
    items[#items + 1] = item
  end
  return items
end

local sets, set_count = {}, 0

-- The set of the bytes that an item fits, as the C matcher sees it.
local function members(item)
  local text = item.text
  local set = item.set or sets[text]
  if not set then
    set = {}
    if #text == 1 and text ~= '.' then
      set[byte(text)] = true
    else
      local whole = '^' .. text
      for b = 0, 255 do
        if C.find(char(b), whole) then set[b] = true end
      end
    end
    if set_count >= MOST_KEPT then sets, set_count = {}, 0 end
    if #text <= 100 then
      sets[text] = set
      set_count = set_count + 1
    end
  end
  item.set = set
  return set
end

-- Whether what follows the i-th item, a repetition, can only fit where the item itself no longer does: then of all
-- lengths that it may try one at most leads on.
local function ends_clearly(items, i)
  local set = members(items[i])
  for j = i + 1, #items do
    local item = items[j]
    if item.kind == LAST then return true end
    if item.kind == ONE then
      if item.quantifier and item.quantifier ~= '+' then return false end
      local other = members(item)
      for b = 0, 255 do
        if set[b] and other[b] then return false end
      end
      return true
    end
    if item.kind ~= OPEN and item.kind ~= CLOSE and item.kind ~= MARK then return false end
  end
  return false
end

-- Count what makes a pattern costly: `repeats` may be tried at each length, `options` twice.  The last repetition of
-- all costs nothing: what follows it can't fail.  `sound` says that its captures make no error.
local function weigh(found, items)
  local trailing, open, closed = true, 0, 0
  found.repeats, found.options, found.sound = {}, 0, not found.problem
  for i = #items, 1, -1 do
    local item = items[i]
    local kind = item.kind
    if kind == ONE then
      if item.quantifier == '?' then
        if not trailing then found.options = found.options + 1 end
      elseif item.quantifier and not trailing then
        found.repeats[#found.repeats + 1] = i
      end
    elseif kind == BALANCE or kind == BACK then
      found.repeats[#found.repeats + 1] = i
      if kind == BACK then found.sound = false end
    elseif kind == CLOSE then
      open = open + 1
    elseif kind == OPEN or kind == MARK then
      if kind == OPEN then open = open - 1 end
      closed = closed + 1
      if open < 0 then found.sound = false end
    end
    if kind ~= OPEN and kind ~= CLOSE and kind ~= MARK then trailing = false end
  end
  if open ~= 0 or closed > MOST_CAPTURES then found.sound = false end
end

local known, known_count = {}, 0

-- What is known of a pattern.
local function look(p, anchors)
  local key = anchors and p or '\0' .. p
  local found = known[key]
  if found then return found end
  local zero = C.find(p, '%z')
  local text = zero and sub(p, 1, zero - 1) or p
  local anchored = anchors and byte(text, 1) == 94
  found = {anchored = anchored}
  if #text > LONGEST then
    if C.find(text, '[%*%+%-%?%%%(%[]') then fail('pattern too complex') end
    text = ''
  end
  found.items, found.problem = parse(text, anchored and 2 or 1)
  weigh(found, found.items)
  if known_count >= MOST_KEPT then known, known_count = {}, 0 end
  if #p <= 1000 then
    known[key] = found
    known_count = known_count + 1
  end
  return found
end

-- The exponent of a text's length in the worst cost of a pattern.
local function degree(found)
  local result, clear = found.anchored and 0 or 1, 0
  for _, i in ipairs(found.repeats) do
    if found.items[i].kind == ONE and ends_clearly(found.items, i) then clear = 1 else result = result + 1 end
  end
  return result + clear
end

-- Whether the C matcher may be let loose on a text of n characters.
local function is_cheap(found, n)
  local repeats = #found.repeats
  if repeats + found.options > MOST_REPEATS then return false end
  local factor = 2 ^ found.options
  local steps = (n + 1) ^ (repeats + (found.anchored and 0 or 1)) * factor
  if steps > MOST_STEPS then
    found.degree = found.degree or degree(found)
    steps = (n + 1) ^ found.degree * factor
    if steps > MOST_STEPS then return false end
  end
  if steps > MANY_STEPS then check() end
  return true
end

-- Matching ---------------------------------------------------------------------------------------------------------

local match_from

local function balance(m, item, at)
  if byte(m.text, at) ~= item.opening then return nil end
  local depth = 1
  for i = at + 1, #m.text do
    local c = byte(m.text, i)
    if c == item.closing then
      depth = depth - 1
      if depth == 0 then return i + 1 end
    elseif c == item.opening then
      depth = depth + 1
    end
  end
  return nil
end

local function back_reference(m, item, at)
  local number = item.number
  local length = m.lengths[number]
  if number < 1 or number > m.level or length == UNFINISHED then fail('invalid capture index') end
  if length == POSITION then return nil end
  local start = m.starts[number]
  if sub(m.text, start, start + length - 1) ~= sub(m.text, at, at + length - 1) then return nil end
  return at + length
end

local function open_capture(m, at, i, length)
  if m.level >= MOST_CAPTURES then fail('too many captures') end
  local level = m.level + 1
  m.level, m.starts[level], m.lengths[level] = level, at, length
  local stop = match_from(m, at, i + 1)
  if not stop then m.level = m.level - 1 end
  return stop
end

local function close_capture(m, at, i)
  local level = m.level
  while level > 0 and m.lengths[level] ~= UNFINISHED do level = level - 1 end
  if level == 0 then fail('invalid pattern capture') end
  m.lengths[level] = at - m.starts[level]
  local stop = match_from(m, at, i + 1)
  if not stop then m.lengths[level] = UNFINISHED end
  return stop
end

local function longest_first(m, set, at, i)
  local text, behind = m.text, at
  while set[byte(text, behind)] do behind = behind + 1 end
  while behind >= at do
    local stop = match_from(m, behind, i + 1)
    if stop then return stop end
    behind = behind - 1
  end
  return nil
end

local function shortest_first(m, set, at, i)
  local text = m.text
  while true do
    local stop = match_from(m, at, i + 1)
    if stop then return stop end
    if not set[byte(text, at)] then return nil end
    at = at + 1
  end
end

-- The position behind what the items from the i-th on match at `at`; nil when they don't.
match_from = function(m, at, i)
  local items, text = m.items, m.text
  while true do
    local item = items[i]
    if not item then return at end
    local kind = item.kind
    if kind == ONE then
      local set = item.set or members(item)
      local quantifier = item.quantifier
      if quantifier == '*' then return longest_first(m, set, at, i) end
      if quantifier == '-' then return shortest_first(m, set, at, i) end
      local fits = set[byte(text, at)]
      if quantifier == '?' then
        if fits then
          local stop = match_from(m, at + 1, i + 1)
          if stop then return stop end
        end
      elseif not fits then
        return nil
      elseif quantifier == '+' then
        return longest_first(m, set, at + 1, i)
      else
        at = at + 1
      end
    elseif kind == OPEN then return open_capture(m, at, i, UNFINISHED)
    elseif kind == MARK then return open_capture(m, at, i, POSITION)
    elseif kind == CLOSE then return close_capture(m, at, i)
    elseif kind == LAST then
      if at ~= #text + 1 then return nil end
    elseif kind == BROKEN then fail(item.text)
    elseif kind == FRONTIER then
      local set = members(item)
      if set[byte(text, at - 1) or 0] or not set[byte(text, at) or 0] then return nil end
    else
      at = (kind == BALANCE and balance or back_reference)(m, item, at)
      if not at then return nil end
    end
    i = i + 1
  end
end

local function capture(m, i, first, stop)
  if i > m.level then
    if i ~= 1 then fail('invalid capture index') end
    return sub(m.text, first, stop - 1)
  end
  local length = m.lengths[i]
  if length == UNFINISHED then fail('unfinished capture') end
  if length == POSITION then return m.starts[i] end
  return sub(m.text, m.starts[i], m.starts[i] + length - 1)
end

-- All captures; the whole match when there is none and `whole` is set.
local function captures(m, first, stop, whole)
  local n = m.level
  if n == 0 and whole then n = 1 end
  local values = {}
  for i = 1, n do values[i] = capture(m, i, first, stop) end
  return unpack(values, 1, n)
end

local function begin(text, found)
  return {text = text, items = found.items, anchored = found.anchored, level = 0, starts = {}, lengths = {}}
end

-- The first match at or behind `at`: where it begins, and the position behind it.
local function search(m, at)
  while at <= #m.text + 1 do
    m.level = 0
    local stop = match_from(m, at, 1)
    if stop then return at, stop end
    if m.anchored then return nil end
    at = at + 1
  end
  return nil
end

local function start_at(text, init)
  if init < 0 then init = init + #text + 1 end
  if init < 1 then init = 1 end
  return min(init, #text + 1)
end

local slow = {}

function slow.find(found, text, _, init)
  local m = begin(text, found)
  local first, stop = search(m, start_at(text, init))
  if not first then return nil end
  return first, stop - 1, captures(m, first, stop, false)
end

function slow.match(found, text, _, init)
  local m = begin(text, found)
  local first, stop = search(m, start_at(text, init))
  if not first then return nil end
  return captures(m, first, stop, true)
end

function slow.gmatch(found, text)
  local m = begin(text, found)
  local at = 1
  return function()
    local first, stop = search(m, at)
    if not first then return nil end
    at = stop == first and stop + 1 or stop
    return captures(m, first, stop, true)
  end
end

-- What a match becomes: the replacement's text with its escapes filled in.
local function filled(m, replacement, first, stop)
  return (C.gsub(replacement, '%%(.?)', function(code)
    if not C.find(code, '^%d') then return code end
    if code == '0' then return sub(m.text, first, stop - 1) end
    return tostring(capture(m, tonumber(code), first, stop))
  end))
end

local function replaced(m, replacement, first, stop)
  local kind = type(replacement)
  local value
  if kind == 'function' then value = replacement(captures(m, first, stop, true))
  elseif kind == 'table' then value = replacement[capture(m, 1, first, stop)]
  else return filled(m, replacement, first, stop) end
  if not value then return sub(m.text, first, stop - 1) end
  kind = type(value)
  if kind ~= 'string' and kind ~= 'number' then fail('invalid replacement value (a ' .. kind .. ')') end
  return value
end

function slow.gsub(found, text, _, replacement, most)
  local m = begin(text, found)
  local at, n, out = 1, 0, {}
  while n < most do
    m.level = 0
    local stop = match_from(m, at, 1)
    if stop then
      n = n + 1
      out[#out + 1] = replaced(m, replacement, at, stop)
    end
    if stop and stop > at then
      at = stop
    elseif at <= #text then
      out[#out + 1] = sub(text, at, at)
      at = at + 1
    else
      break
    end
    if m.anchored then break end
  end
  out[#out + 1] = sub(text, at)
  return concat(out), n
end

-- What scripts call ------------------------------------------------------------------------------------------------

local OWN = {['bad argument'] = true, ['malformed pattern'] = true, ['invalid'] = true, ['unfinished capture'] = true,
  ['missing'] = true, ['too many'] = true, ['unbalanced pattern'] = true, ['pattern too'] = true}

-- The results of a C function that was called by pcall; its own errors get the script's position.
local function passed(name, ok, ...)
  if ok then return ... end
  local problem = ...
  if type(problem) == 'string' then
    local first, second = C.match(problem, '^(%a+) ?(%a*)')
    if first and (OWN[first] or OWN[first .. ' ' .. second]) then
      fail((C.gsub(problem, "to '%?'", "to '" .. name .. "'")))
    end
  end
  error(problem, 0)
end

-- Both arguments as text, or nil: the C function knows the error.
local function texts(text, pattern)
  if type(text) == 'number' then text = tostring(text) end
  if type(pattern) == 'number' then pattern = tostring(pattern) end
  if type(text) == 'string' and type(pattern) == 'string' then return text, pattern end
  return nil
end

for _, name in ipairs{'find', 'match'} do
  local fn, slowly = C[name], slow[name]
  library[name] = function(...)
    local text, pattern, init, plain = ...
    text, pattern = texts(text, pattern)
    if not text or (plain and name == 'find') then return passed(name, pcall(fn, ...)) end
    local found = look(pattern, true)
    if is_cheap(found, #text) then
      if found.sound and init == nil then return fn(text, pattern) end
      return passed(name, pcall(fn, ...))
    end
    check()
    init = init == nil and 1 or tonumber(init) or bad_argument(3, name, 'number expected, got ' .. type(init))
    if init ~= init then init = 1 end
    return slowly(found, text, pattern, init < 0 and -floor(-init) or floor(init))
  end
end

library.gmatch = function(...)
  local text, pattern = texts(...)
  if not text then return passed('gmatch', pcall(C.gmatch, ...)) end
  local found = look(pattern, false)
  if is_cheap(found, #text) then return C.gmatch(text, pattern) end
  return slow.gmatch(found, text)
end
library.gfind = library.gmatch

library.gsub = function(...)
  local text, pattern = texts(...)
  local _, _, replacement, most = ...
  if type(replacement) == 'number' then replacement = tostring(replacement) end
  local kind = type(replacement)
  if not text or (kind ~= 'string' and kind ~= 'table' and kind ~= 'function') then
    return passed('gsub', pcall(C.gsub, ...))
  end
  local found = look(pattern, true)
  if is_cheap(found, #text) then
    if found.sound and kind == 'string' and most == nil and not C.find(replacement, '%%') then
      return C.gsub(text, pattern, replacement)
    end
    return passed('gsub', pcall(C.gsub, ...))
  end
  check()
  most = most == nil and #text + 1 or tonumber(most) or bad_argument(4, 'gsub', 'number expected, got ' .. type(most))
  return slow.gsub(found, text, pattern, replacement, most)
end

return {slow = slow, look = look}
