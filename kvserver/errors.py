"""Errors that are the peer's fault, with Redis's texts.  Ours are assertions."""

from __future__ import annotations


class CommandError(Exception):
    """A request can't be served; `text` is the reply, its code first ("ERR …"), without the leading dash."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(text)
        self.text = text


WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_INT = "ERR value is not an integer or out of range"
NOT_FLOAT = "ERR value is not a valid float"
NO_KEY = "ERR no such key"
OUT_OF_RANGE = "ERR value is out of range"
INDEX_RANGE = "ERR index out of range"
INVALID_EXPIRE = "ERR invalid expire time in '%s' command"


def shown(raw: bytes) -> bytes:
    """An argument as Redis's error texts show it: up to the first zero byte, where a text of C ends."""
    return raw.partition(b"\0")[0]


def wrong_arity(name: str) -> CommandError:
    """The error for a wrong number of arguments; `name` is lower case, "config|get" for a subcommand."""
    return CommandError(f"ERR wrong number of arguments for '{name}' command")
