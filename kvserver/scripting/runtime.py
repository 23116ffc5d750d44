"""The Lua 5.1 machine: its sandbox, its memory limit, and the way into it and back.

Theory of operation.  One machine serves all scripts and libraries; it holds what `lua/*.lua` builds at start.
Python calls two entry points, one for scripts and one for library functions, with the compiled function, the
protocol of the client, and keys and arguments as plain values.  What comes back is a string or a whole number, or
(True, the encoded reply, whether its error has been counted already), or (False, error text, position, whether
the error has been counted already).

Memory.  The machine has a limit, and an allocation beyond it raises an error inside the script.  An allocation
that Python makes on the machine's behalf must never fail: outside of a script nothing would catch the error, and
inside it would jump over Python's frames.  So whoever hands something in asks for `room` first.

Nothing of Python is reachable from a script: no library that would give access is there, functions of ours are
called by the sandbox only and never handed out, and attributes of Python objects can't be read at all.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from lupa.lua51 import LuaError, LuaRuntime

from kvserver.scripting.bridge import MARGIN, Commands, ScriptStopped, connect

LIMIT = 512 << 20
"""Bytes a script may use."""
COLLECT_AT = LIMIT // 8
"""Bytes in use at which garbage is collected before the next script runs."""
SMALL = 4 << 20
"""Bytes in use up to which garbage is collected at any time."""
MANY = 100
"""More arguments are handed over in tables, as Lua's stack is short."""

_CHUNKS = ("deprecated", "debugger", "patterns", "tables", "cjson", "cmsgpack", "bit", "struct", "libraries")
_STOPPABLE = ("patterns", "tables", "cjson", "cmsgpack", "bit", "struct")
"""Those that may be stopped at any line: they keep nothing that could be left half done."""


_DANGEROUS = (b"os", b"io", b"debug", b"package", b"require", b"module", b"dofile", b"loadfile", b"print", b"python")


class Function:
    """Something that can be run: lupa's object of it, which keeps it alive, and its number in the machine."""

    __slots__ = ("fn", "number")

    def __init__(self, fn: Any, number: int) -> None:
        self.fn = fn
        self.number = number


class ScriptFailed(Exception):
    """A script or a library doesn't compile, or a library fails; `text` is Lua's."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def _no_attributes(obj: object, name: object, setting: bool) -> object:
    raise AttributeError("not available")


class Runtime:
    """One Lua machine; see the module's theory of operation."""

    def __init__(self, natives: dict[bytes, Any], commands: Commands) -> None:
        self.lua = LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_no_attributes,
            max_memory=LIMIT,
        )
        lua_globals = self.lua.globals()
        loadstring = lua_globals[b"loadstring"]
        self.bridge = connect(self.lua, commands)
        if self.bridge is not None:
            natives = {**natives, b"direct": self.bridge.call}
        native = self.lua.table_from(natives)
        self.sandbox = loadstring(_source("sandbox"), b"=redis")(native)
        for chunk in _CHUNKS:
            name = b"=redis library" if chunk in _STOPPABLE else b"=redis"
            loadstring(_source(chunk), name)(native, self.sandbox)
        self._collect = lua_globals[b"collectgarbage"]
        for name in _DANGEROUS:
            lua_globals[name] = None
        self.run_script: Callable[..., Any] = self.sandbox[b"run_script"]
        self.run_function: Callable[..., Any] = self.sandbox[b"run_function"]
        self._run_many: Callable[..., Any] = self.sandbox[b"run_many"]
        self._compile: Callable[..., Any] = self.sandbox[b"compile_script"]
        self._load_library: Callable[..., Any] = self.sandbox[b"load_library"]
        self._watch: Callable[[], None] = self.sandbox[b"watch"]
        self.debug: Callable[[], None] = self.sandbox[b"debug"]
        self._used: Callable[[], int] = self.lua.get_memory_used
        self._keep: Callable[[Any], int] = self.sandbox[b"keep"]
        if self.bridge is not None:
            self.bridge.bind(self._run_many, self.sandbox[b"kept"])
            self.bridge.limit = LIMIT
        self._collect()
        self._sandbox_bytes: int = self.used_bytes()
        self.limit = LIMIT

    def used_bytes(self) -> int:
        """Memory the machine holds."""
        return self._used() if self.bridge is None else self.bridge.used_bytes()

    def scripts_bytes(self) -> int:
        """Memory that scripts hold: what is in use beyond the sandbox itself, without garbage while that is small."""
        if self.used_bytes() < SMALL:
            self._collect()
        return max(self.used_bytes() - self._sandbox_bytes, 0)

    def room(self, size: int) -> bool:
        """Whether Python may allocate `size` bytes inside the machine while a script runs."""
        return self.used_bytes() + size + MARGIN < self.limit

    def make(self, contents: Any) -> Any:
        """Make a Lua table of a list or a dict; the caller has seen to `room`."""
        return self.lua.table_from(contents)

    def compile(self, source: bytes) -> Function:
        """Compile a script.

        Raises:
            ScriptFailed: it is no Lua.
        """
        self._prepare(3 * len(source))
        try:
            result = self._compile(source)
        except LuaError as failure:
            raise ScriptFailed(str(failure).encode()) from None
        if isinstance(result, tuple):
            raise ScriptFailed(result[1])
        return self._function(result)

    def load_library(self, source: bytes) -> list[tuple[bytes, Any, bytes | None, bytes]]:
        """Run a library's source; return (name, function, description, flags) of what it registers.

        Raises:
            ScriptFailed: it doesn't compile, fails, or registers nothing.
        """
        self._prepare(3 * len(source))
        try:
            result = self._load_library(source)
        except LuaError as failure:
            raise ScriptFailed(str(failure).encode()) from None
        finally:
            self._watch()
        if isinstance(result, tuple):
            raise ScriptFailed(result[1])
        return [
            (entry[b"name"], self._function(entry[b"callback"]), entry[b"description"], entry[b"flags"])
            for entry in result.values()
        ]

    def _function(self, fn: Any) -> Function:
        return Function(fn, self._keep(fn))

    def run(self, function: Function, proto: int, keys: int, args: list[bytes], is_function: bool) -> Any:
        """Run a function with `keys` of `args` as its keys; see the module for what comes back."""
        size = 64 * len(args)
        for arg in args:
            size += 2 * len(arg)
        self._prepare(size)
        if self.bridge is not None:
            try:
                return self.bridge.run(function.number, proto, keys, args, is_function)
            except ScriptStopped as failure:
                self._watch()
                return False, b"ERR " + (failure.text or b"not enough memory"), None, None
        return self._run(function.fn, proto, keys, args, is_function)

    def _run(self, fn: Any, proto: int, keys: int, args: list[bytes], is_function: bool) -> Any:
        """Run a function lupa's way."""
        try:
            if len(args) <= MANY:
                entry = self.run_function if is_function else self.run_script
                return entry(fn, proto, keys, *args)
            return self._run_many(fn, proto, self.make(args[:keys]), self.make(args[keys:]), is_function)
        except LuaError as failure:
            self._watch()
            return False, b"ERR " + (str(failure).encode() or b"not enough memory"), None, None

    def rearm(self) -> None:
        """Make the hook sleep again after a script was killed."""
        self._watch()

    def _prepare(self, size: int) -> None:
        """See to it that `size` bytes can be handed in."""
        if self.used_bytes() + size < COLLECT_AT:
            if self.limit == LIMIT:
                return
        else:
            self._collect()
        self.limit = max(LIMIT, self.used_bytes() + size + LIMIT // 2)
        self.lua.set_max_memory(self.limit)
        if self.bridge is not None:
            self.bridge.limit = self.limit


def _source(name: str) -> bytes:
    return files("kvserver.scripting").joinpath("lua", f"{name}.lua").read_bytes()
