"""The matcher that can be stopped, beside Lua's own: the same patterns, the same results."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from lupa.lua51 import LuaRuntime

COMPARE = b"""
local patterns, text, pattern, replacement, init = ...
local slow, look = patterns.slow, patterns.look
local function all(iterate)
  local out = {}
  for a, b, c in iterate do
    out[#out + 1] = tostring(a) .. '|' .. tostring(b) .. '|' .. tostring(c)
    if #out > 200 then break end
  end
  return table.concat(out, ';')
end
local upper = function(...) return (select('#', ...)) .. tostring((...)) end
local found, plain = look(pattern, true), look(pattern, false)
local function result(...)
  local out = {...}
  for i = 1, select('#', ...) do out[i] = tostring(out[i]) end
  return table.concat(out, ',')
end
local pairs_of = {
  {function() return string.match(text, pattern, init) end,
   function() return slow.match(found, text, pattern, init) end},
  {function() return all(string.gmatch(text, pattern)) end, function() return all(slow.gmatch(plain, text)) end},
  {function() return string.gsub(text, pattern, replacement, 7) end,
   function() return slow.gsub(found, text, pattern, replacement, 7) end},
  {function() return string.gsub(text, pattern, upper) end,
   function() return slow.gsub(found, text, pattern, upper, #text + 1) end},
}
if pattern:match('^[^%z]*'):find('[%^%$%*%+%?%.%(%[%%%-]') then
  pairs_of[5] = {function() return string.find(text, pattern, init) end,
    function() return slow.find(found, text, pattern, init) end}
end
for i, both in ipairs(pairs_of) do
  local theirs, ours = result(pcall(both[1])), result(pcall(both[2]))
  theirs = theirs:gsub('%[string "<python>"%]:%d+: ', ''):gsub("bad argument.*", "")
  if theirs ~= ours and not (theirs:find('^false') and ours:find('^false')) then return i, theirs, ours end
end
"""


@pytest.fixture(scope="module")
def compare() -> Callable[..., Any]:
    lua = LuaRuntime(encoding=None)
    source = files("kvserver.scripting").joinpath("lua", "patterns.lua").read_bytes()
    load = lua.globals()[b"loadstring"]
    parts = load(
        b"return {fail = function(text) error(text, 0) end, bad_argument = error, check = function() end,"
        b" string_library = {}}"
    )()
    patterns = load(source, b"=patterns")(None, parts)
    run = load(COMPARE, b"=compare")
    return lambda *args: run(patterns, *args)


ITEMS = st.sampled_from(
    [
        "a", "b", "c", ".", "%a", "%d", "%s", "%w", "%S", "%z", "[ab]", "[^a]", "[a-c]", "[%w_]", "[^%s]", "[]a]",
        "[^]]", "[%]]", "(", ")", "()", "^", "$", "%b()", "%f[%w]", "%f[^a]", "%1", "%2", "%.", "%%", "%", "[", "x",
        "-", "1", " ",
    ]
)  # fmt: skip
QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "-", "?"])
PATTERNS = st.lists(st.tuples(ITEMS, QUANTIFIERS).map("".join), max_size=6).map("".join)
TEXTS = st.text(alphabet="aabbc() 1_.x", max_size=14)
REPLACEMENTS = st.sampled_from(["", "<%0>", "%1", "%2%1", "%%", "%a", "x"])


@settings(max_examples=1500, deadline=None)
@given(PATTERNS, TEXTS, REPLACEMENTS, st.integers(-16, 16))
@example("(a*(.)%w(%s*))", "aab b", "%3%2%1", 1)
@example("^%s*(.-)%s*$", "  a b  ", "[%1]", -3)
@example("", "", "x", 2)
def test_results_are_the_same(
    compare: Callable[..., Any], pattern: str, text: str, replacement: str, init: int
) -> None:
    """Whatever the pattern, find, match, gmatch and gsub give what Lua's own give, or both fail."""
    assert compare(text.encode(), pattern.encode(), replacement.encode(), init) is None


def test_bytes_of_all_kinds(compare: Callable[..., Any]) -> None:
    """Zeros and bytes above 127 are bytes like others; a zero ends a pattern."""
    text = bytes(range(256)) * 2
    for pattern in (b"%z+", b"[\x80-\xff]+", b"%c*", b"[^%c]-\x7f", b"a\0b*", b".\xff%z"):
        assert compare(text, pattern, b"-", 1) is None
