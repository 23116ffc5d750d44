"""The short way between the Lua machine and Python, for what every script does: being run, and calling commands.

Theory of operation.  lupa's calls convert, lock and give up the interpreter's lock on each way. Compiled, this module
calls the C interface of the same Lua library instead (`lua_c.pxd`): `Bridge.run` enters a function, and `redis.call`
is a function in C that ends in `Commands.perform`. All else stays lupa's: the machine, its memory limit, the sandbox,
hooks, and the other functions of ours.

Lua leaves a function by a jump in C when something fails, so nothing may be raised while a frame of ours holds
objects: what fails in Python is kept in `failure` and the jump is made behind the last of our frames (`on_call`);
memory is asked for by `room` before anything is handed to Lua. An error of Python's ends the script, whatever the
script does to catch it, and is raised where the script was run.

Where it can't be done (not compiled; a lupa that hides Lua's functions) there is no bridge, and lupa does it all.
"""

from __future__ import annotations

import ctypes
from typing import Any

import cython
from lupa import lua51

from kvserver.scripting.decoding import decode

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize  # type: ignore
    from cython.cimports.kvserver.scripting.lua_c import (  # type: ignore
        BOOLEAN,
        GC_COUNT,
        MULTRET,
        NUMBER,
        REGISTRY,
        STRING,
        UPVALUE,
        fill,
    )
    from cython.cimports.kvserver.wire.resp import digits  # type: ignore
else:
    from kvserver.wire.resp import digits

    lua: Any = None  # the functions of Lua; nothing of it is used where this isn't compiled
    PyBytes_AS_STRING: Any = None
    PyBytes_FromStringAndSize: Any = None
    fill: Any = None
    BOOLEAN = GC_COUNT = MULTRET = NUMBER = REGISTRY = STRING = UPVALUE = 0

STATUS, ERROR, TABLE, MEMORY, UNUSABLE = 1, 2, 3, 4, 5
"""What the second value says that a command hands to the sandbox; none = the first is the result."""
_STATUS, _ERROR, _MEMORY, _UNUSABLE = STATUS, ERROR, MEMORY, UNUSABLE  # C's copies, declared in the .pxd
MARGIN = 1 << 20
"""Bytes kept free for what Python allocates in the machine."""
_margin = MARGIN
_NAMES = (
    "lua_gettop", "lua_error", "lua_type", "lua_toboolean", "lua_checkstack", "luaL_ref", "lua_settop", "lua_pushvalue",
    "lua_remove", "lua_pushnil", "lua_pushboolean", "lua_tonumber", "lua_tolstring", "lua_touserdata", "lua_pushnumber",
    "lua_pushlstring", "lua_pushlightuserdata", "lua_pushcclosure", "lua_rawgeti", "lua_rawseti", "lua_createtable",
    "lua_rawset", "lua_pcall", "lua_gc",
)  # fmt: skip
_EXACT = 1e17
_opening: Any = None  # the bridge that is being made


class ScriptStopped(Exception):
    """A script ended by an error that the sandbox didn't catch, for want of memory; `text` is Lua's."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class Commands:
    """Who performs what scripts call."""

    def perform(self, request: list[bytes]) -> bytes:
        """Perform a command, and return its reply as it would be on the wire."""
        raise NotImplementedError


def number_text(number: float) -> bytes:
    """Show a Lua number as a command's argument: 17 significant digits."""
    if -_EXACT < number < _EXACT and number == int(number):
        return digits(int(number))
    return b"%.17g" % number


def connect(machine: Any, commands: Commands) -> Bridge | None:
    """Make the bridge of a new machine of lupa's, before its sandbox is there; None where that can't be done."""
    if not cython.compiled:
        return None
    try:
        library = ctypes.PyDLL(lua51.__file__)
        found = {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in _NAMES}
    except (OSError, AttributeError):
        return None
    opener = machine.globals()[b"package"][b"loadlib"](__file__.encode(), b"understudy_lua_bridge")
    if isinstance(opener, tuple):  # None, and why not
        return None
    return _opened(opener, found, commands)


def _opened(opener: Any, found: dict[str, Any], commands: Commands) -> Bridge:
    global _opening
    fill(cython.address(lua), found)
    bridge = _opening = Bridge(commands)
    bridge.call, bridge.bind = opener()
    _opening = None
    return bridge


class Bridge:
    """The bridge of one machine; `call` and `bind` are functions of Lua. See the module's theory of operation."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self.failure: BaseException | None = None
        self.limit = 0  # bytes that the machine may use
        self.call: Any = None  # runs a command: hands over a value, or nothing, a kind and perhaps a text
        self.bind: Any = None  # is told the function that runs scripts, and the table of those that can be run
        self.state: Any = cython.NULL
        self.entry = self.functions = 0

    def run(self, number: int, proto: int, keys: int, args: list[bytes], is_function: bool) -> Any:
        """Run a function out of the table with `keys` of `args` as its keys; return what the sandbox hands back.

        Raises:
            ScriptStopped: memory is short.
        """
        state = self.state
        top = lua.gettop(state)
        if not lua.checkstack(state, 16):
            raise ScriptStopped(b"stack overflow")
        lua.rawgeti(state, REGISTRY, self.entry)
        lua.rawgeti(state, REGISTRY, self.functions)
        lua.rawgeti(state, -1, number)
        lua.remove(state, -2)
        lua.pushnumber(state, proto)
        lua.createtable(state, keys, 0)
        for i in range(keys):
            arg = args[i]
            lua.pushlstring(state, PyBytes_AS_STRING(arg), len(arg))
            lua.rawseti(state, -2, i + 1)
        lua.createtable(state, len(args) - keys, 0)
        for i in range(keys, len(args)):
            arg = args[i]
            lua.pushlstring(state, PyBytes_AS_STRING(arg), len(arg))
            lua.rawseti(state, -2, i - keys + 1)
        lua.pushboolean(state, is_function)
        status = lua.pcall(state, 5, MULTRET, 0)
        n = lua.gettop(state) - top
        result = self.value_at(state, top + 1) if n else None
        if n > 1:
            result = (result, *[self.value_at(state, top + i) for i in range(2, n + 1)])
        lua.settop(state, top)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if status:
            raise ScriptStopped(result if type(result) is bytes else b"")
        return result

    def value_at(self, state: Any, place: int) -> Any:
        """The plain value at a place of the stack."""
        kind = lua.type(state, place)
        if kind == STRING:
            size: cython.size_t = 0
            text = lua.tolstring(state, place, cython.address(size))
            return PyBytes_FromStringAndSize(text, size)
        if kind == NUMBER:
            number: cython.double = lua.tonumber(state, place)
            if -_EXACT < number < _EXACT and number == cython.cast(cython.longlong, number):
                return cython.cast(cython.longlong, number)
            return number
        return bool(lua.toboolean(state, place)) if kind == BOOLEAN else None

    def serve(self, state: Any) -> int:
        """Perform the command on the stack; return how many values were handed over."""
        if self.failure is not None:
            raise self.failure
        n = lua.gettop(state)
        request: list[bytes] = []
        size: cython.size_t = 0
        for i in range(1, n + 1):
            kind = lua.type(state, i)
            if kind == STRING:
                text = lua.tolstring(state, i, cython.address(size))
                request.append(PyBytes_FromStringAndSize(text, size))
            elif kind == NUMBER:
                request.append(number_text(lua.tonumber(state, i)))
            else:
                return self.special(state, _UNUSABLE, b"")
        if n == 0:
            return self.special(state, _UNUSABLE, b"")
        if not lua.checkstack(state, 16) or not self.room(state, 0):
            return self.special(state, _MEMORY, b"")
        return self.hand_over(state, self.commands.perform(request))

    def hand_over(self, state: Any, reply: bytes) -> int:
        """Push what a reply is to a script."""
        size = len(reply)
        s: cython.p_const_char = reply
        kind = s[0]
        if not self.room(state, size):
            return self.special(state, _MEMORY, b"")
        if kind == 58:  # ':'
            p = 2 if s[1] == 45 else 1
            number = 0
            while s[p] != 13:
                number = number * 10 + (s[p] - 48)
                p += 1
            lua.pushnumber(state, -number if s[1] == 45 else number)
            return 1
        if kind == 36:  # '$'
            if s[1] == 45:
                lua.pushboolean(state, 0)
                return 1
            p = 2
            while s[p] != 10:
                p += 1
            lua.pushlstring(state, s + p + 1, size - p - 3)
            return 1
        if kind == 43:  # '+'
            return self.special(state, _STATUS, reply[1:-2])
        if kind == 45:  # '-'
            return self.special(state, _ERROR, reply[1:-2])
        if not self.room(state, 16 * size):
            return self.special(state, _MEMORY, b"")
        return self.push(state, decode(reply, _as_it_is))

    def special(self, state: Any, kind: int, text: bytes) -> int:
        """Hand over no value, but what the sandbox makes one of."""
        lua.settop(state, 0)
        lua.pushboolean(state, 0)
        lua.pushnumber(state, kind)
        lua.pushlstring(state, PyBytes_AS_STRING(text), len(text))
        return 3

    def room(self, state: Any, size: int) -> bool:
        """Whether so many bytes may be handed over."""
        used: cython.longlong = lua.gc(state, GC_COUNT, 0)
        fits: bool = used * 1024 + size + _margin < self.limit
        return fits

    def used_bytes(self) -> int:
        """Memory that the machine holds."""
        kilobytes: int = lua.gc(self.state, GC_COUNT, 0)
        return kilobytes * 1024

    def push(self, state: Any, value: Any) -> int:
        """Push a plain value, lists and dictionaries as tables."""
        if not lua.checkstack(state, 8):
            raise MemoryError
        if type(value) is bytes:
            lua.pushlstring(state, PyBytes_AS_STRING(value), len(value))
        elif value is None:
            lua.pushnil(state)
        elif type(value) is bool:
            lua.pushboolean(state, value)
        elif type(value) is list:
            lua.createtable(state, len(value), 0)
            for i in range(len(value)):
                self.push(state, value[i])
                lua.rawseti(state, -2, i + 1)
        elif type(value) is dict:
            lua.createtable(state, 0, len(value))
            for key, content in value.items():
                self.push(state, key)
                self.push(state, content)
                lua.rawset(state, -3)
        else:
            lua.pushnumber(state, value)
        return 1


def _as_it_is(value: Any) -> Any:
    return value


def understudy_lua_bridge(state: Any) -> int:
    """What Lua finds in this library: push the functions `call` and `bind` of the bridge that is being made."""
    return opened(state)


def on_call(state: Any) -> int:
    """`Bridge.call` as Lua calls it."""
    n = served(state)
    if n < 0:
        lua.error(state)
    return n


def on_bind(state: Any) -> int:
    """`Bridge.bind` as Lua calls it."""
    return bound(state)


def opened(state: Any) -> int:
    """Push the functions of the bridge that is being made."""
    _opening.state = state
    lua.pushlightuserdata(state, cython.cast(cython.p_void, _opening))
    lua.pushcclosure(state, on_call, 1)
    lua.pushlightuserdata(state, cython.cast(cython.p_void, _opening))
    lua.pushcclosure(state, on_bind, 1)
    return 2


def served(state: Any) -> int:
    """Perform the command on the stack; -1 when Python failed, with something on the stack for Lua to fail with."""
    bridge: Bridge = cython.cast(Bridge, lua.touserdata(state, UPVALUE))
    try:
        return bridge.serve(state)
    except BaseException as failure:
        bridge.failure = failure
        lua.settop(state, 0)
        lua.pushboolean(state, 0)
        return -1


def bound(state: Any) -> int:
    """Keep what is on the stack: the function that runs scripts, and the table of those that can be run."""
    bridge: Bridge = cython.cast(Bridge, lua.touserdata(state, UPVALUE))
    bridge.functions = lua.ref(state, REGISTRY)
    bridge.entry = lua.ref(state, REGISTRY)
    return 0
