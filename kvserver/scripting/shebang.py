"""The first line of scripts and libraries: `#!lua name=… flags=…`."""

from __future__ import annotations

from kvserver.errors import CommandError
from kvserver.wire.quoting import split_args

NO_WRITES = 1
ALLOW_OOM = 2
ALLOW_STALE = 4
NO_CLUSTER = 8
ALLOW_CROSS_SLOT = 16
COMPAT = 32
"""A script without a first line: what it may do is found out command by command."""

FLAGS = {
    b"no-writes": NO_WRITES,
    b"allow-oom": ALLOW_OOM,
    b"allow-stale": ALLOW_STALE,
    b"no-cluster": NO_CLUSTER,
    b"allow-cross-slot-keys": ALLOW_CROSS_SLOT,
}

BAD_NAME = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)


def script_flags(body: bytes) -> tuple[bytes, int]:
    """Return (the source without its first line, flags) of a script.

    Raises:
        CommandError: the first line begins as such a line does and isn't one.
    """
    if not body.startswith(b"#!"):
        return body, COMPAT
    end = body.find(b"\n")
    if end < 0:
        raise CommandError("ERR Invalid script shebang")
    words = split_args(body[:end])
    if not words:
        raise CommandError("ERR Invalid engine in script shebang")
    if words[0] != b"#!lua":
        raise CommandError(b"ERR Unexpected engine in script shebang: " + words[0])
    flags = 0
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise CommandError(b"ERR Unknown lua shebang option: " + word)
        for name in word[6:].split(b","):
            if name and name not in FLAGS:
                raise CommandError(b"ERR Unexpected flag in script shebang: " + name)
            flags |= FLAGS.get(name, 0)
    return body[end:], flags


def library_name(code: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (engine, name, the source without its first line) of a function library.

    Raises:
        CommandError: the first line is missing, or not what it must be.
    """
    if not code.startswith(b"#!"):
        raise CommandError("ERR Missing library metadata")
    end = code.find(b"\n")
    words = split_args(code[:end]) if end >= 0 else None
    if not words:
        raise CommandError("ERR Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise CommandError(b"ERR Invalid metadata value given: " + word)
        if name is not None:
            raise CommandError("ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise CommandError("ERR Library name was not given")
    if not is_name(name):
        raise CommandError(BAD_NAME)
    return words[0][2:], name, code[end:]


def is_name(name: bytes) -> bool:
    """Whether a library or a function may be called so: ASCII letters, digits, underscores, at least one."""
    return bool(name) and name.replace(b"_", b"a").isalnum()


def flag_names(flags: int) -> list[bytes]:
    """The names of flags, in Redis's order."""
    return [name for name, bit in FLAGS.items() if flags & bit]
