"""Function libraries: source, functions, and what replaces what.  A library is all its functions or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kvserver.errors import CommandError
from kvserver.scripting.shebang import FLAGS, library_name

Loader = Callable[[bytes], "list[tuple[bytes, Any, bytes | None, bytes]]"]


class Function:
    """One function of a library."""

    __slots__ = ("description", "flags", "fn", "name")

    def __init__(self, name: bytes, fn: Any, description: bytes | None, flags: int) -> None:
        self.name = name
        self.fn = fn
        self.description = description
        self.flags = flags


class Library:
    """A library by its source, and the functions it has registered."""

    __slots__ = ("code", "functions", "name")

    def __init__(self, name: bytes, code: bytes, functions: list[Function]) -> None:
        self.name = name
        self.code = code
        self.functions = functions


class Libraries:
    """All libraries; functions are found by name in any case."""

    def __init__(self, load: Loader) -> None:
        self._load = load
        self.by_name: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}  # by lower-case name

    def load(self, code: bytes, replace: bool = False) -> bytes:
        """Load a library; return its name.

        Raises:
            CommandError: it isn't valid, or its name or a function's is taken; nothing has changed then.
        """
        library = self._make(code, self.by_name if not replace else {})
        self._check(library, self.by_name)
        self._add(library)
        return library.name

    def _make(self, code: bytes, taken: dict[bytes, Library]) -> Library:
        engine, name, source = library_name(code)
        if engine.lower() != b"lua":
            raise CommandError(b"ERR Engine '%b' not found" % engine)
        if name in taken:
            raise CommandError(b"ERR Library '%b' already exists" % name)
        functions = []
        for function, fn, description, flags in self._load(source):
            bits = 0
            for flag in flags.split():
                bits |= FLAGS[flag]
            functions.append(Function(function, fn, description, bits))
        return Library(name, code, functions)

    def _check(self, library: Library, others: dict[bytes, Library]) -> None:
        """Refuse a library one of whose functions another library has."""
        taken = {f.name.lower() for other in others.values() if other.name != library.name for f in other.functions}
        for function in library.functions:
            if function.name.lower() in taken:
                raise CommandError(b"ERR Function %b already exists" % function.name)

    def _add(self, library: Library) -> None:
        self.delete(library.name)
        self.by_name[library.name] = library
        for function in library.functions:
            self.functions[function.name.lower()] = function

    def delete(self, name: bytes) -> bool:
        """Forget a library; False when there is none of that name."""
        library = self.by_name.pop(name, None)
        if library is None:
            return False
        for function in library.functions:
            self.functions.pop(function.name.lower(), None)
        return True

    def clear(self) -> None:
        """Forget all libraries."""
        self.by_name.clear()
        self.functions.clear()

    def restore(self, codes: Iterable[bytes], policy: bytes) -> None:
        """Add libraries by their sources; `policy` is FLUSH, APPEND or REPLACE.

        Raises:
            CommandError: one isn't valid, or there is a collision; nothing has changed then.
        """
        kept = {} if policy == b"FLUSH" else dict(self.by_name)
        for code in codes:
            library = self._make(code, {})
            if library.name in kept and policy != b"REPLACE":
                raise CommandError(b"ERR Library %b already exists" % library.name)
            kept.pop(library.name, None)
            self._check(library, kept)
            kept[library.name] = library
        self.clear()
        for library in kept.values():
            self._add(library)

    def sources(self) -> list[bytes]:
        """The source of each library."""
        return [library.code for library in self.by_name.values()]
