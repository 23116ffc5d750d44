"""Keeps the frame of a script that ends with `return redis.call(…)`.

In Lua 5.1 such a tail call replaces the caller's frame when the callee is a Lua function, and with the frame goes
the line that an error should name.  The library functions of the sandbox are Lua functions where Redis's are C
functions, which never replace a frame.  So the compiled form of a script is edited: a tail call of a field whose
name is one of the library's becomes a plain call, of which the instruction behind it returns all results.

The form is `string.dump`'s, see http://luaforge.net/docman/83/98/ANoFrillsIntroToLua51VMInstructions.pdf: a header
of 12 bytes, then the main function: source name, four numbers of lines and counts, instructions of 4 bytes,
constants, nested functions, and debug information.
"""

from __future__ import annotations

_HEADER = b"\x1bLuaQ\x00\x01\x04"
_OP_GETGLOBAL = 5
_OP_GETTABLE = 6
_OP_SELF = 11
_OP_CALL = 28
_OP_TAILCALL = 29
_CONSTANT = 256

NAMES = frozenset(
    b"call pcall error_reply status_reply log sha1hex setresp set_repl acl_check_cmd register_function "
    b"encode decode encode_max_depth decode_max_depth encode_number_precision encode_keep_buffer "
    b"encode_invalid_numbers decode_invalid_numbers encode_sparse_array "
    b"pack unpack unpack_one unpack_limit size random randomseed insert remove sort setn "
    b"tobit tohex band bor bxor bnot bswap lshift rshift arshift rol ror wrap create "
    b"find match gmatch gfind gsub rawset rawget setmetatable getmetatable next pairs loadstring load "
    b"collectgarbage rep getfenv setfenv".split()
)


class _Reader:
    """A position in a dumped function."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 12
        self.size_t = data[8]

    def number(self, size: int = 4) -> int:
        """Read an unsigned number."""
        self.pos += size
        return int.from_bytes(self.data[self.pos - size : self.pos], "little")

    def string(self) -> bytes:
        """Read a string with its length in front and a zero at its end."""
        size = self.number(self.size_t)
        self.pos += size
        return self.data[self.pos - size : max(self.pos - 1, self.pos - size)]

    def constants(self) -> list[bytes | None]:
        """Read a function's constants; those that are no strings are None."""
        found: list[bytes | None] = []
        for _ in range(self.number()):
            kind = self.number(1)
            found.append(self.string() if kind == 4 else None)
            if kind == 1:
                self.pos += 1
            elif kind == 3:
                self.pos += 8
        return found


def keep_frames(dumped: bytes) -> bytes | None:
    """Return the function with its library calls in tail position made plain; None when there are none.

    A form that isn't the expected one (another byte order or size of numbers) is left alone.
    """
    if not dumped.startswith(_HEADER[:5]) or dumped[6:8] != _HEADER[6:8] or dumped[9:11] != b"\x04\x08":
        return None
    patched = bytearray(dumped)
    reader = _Reader(dumped)
    return bytes(patched) if _function(reader, patched) else None


def _function(r: _Reader, patched: bytearray) -> bool:
    """Read one function and those in it; whether anything was changed."""
    r.string()
    r.pos += 12
    start = r.pos + 4
    count = r.number()
    r.pos += 4 * count
    changed = _edit(r.data, start, count, r.constants(), patched)
    for _ in range(r.number()):
        changed |= _function(r, patched)
    r.pos += 4 * r.number()
    for _ in range(r.number()):
        r.string()
        r.pos += 8
    for _ in range(r.number()):
        r.string()
    return changed


def _edit(code: bytes, start: int, count: int, constants: list[bytes | None], patched: bytearray) -> bool:
    """Change the tail calls of one function's instructions."""
    callee: dict[int, bytes | None] = {}  # register -> the name its value was read by
    changed = False
    for pos in range(start, start + 4 * count, 4):
        word = int.from_bytes(code[pos : pos + 4], "little")
        op, a, c, b = word & 63, word >> 6 & 255, word >> 14 & 511, word >> 23
        if op == _OP_TAILCALL:
            if callee.get(a) in NAMES:
                patched[pos] = word & 0xC0 | _OP_CALL
                changed = True
        elif op in (_OP_GETTABLE, _OP_SELF):
            callee[a] = constants[c - _CONSTANT] if c >= _CONSTANT else None
        elif op == _OP_GETGLOBAL:
            callee[a] = constants[b << 9 | c]
        else:
            callee.pop(a, None)
    return changed
