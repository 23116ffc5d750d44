"""Which arguments of a request are secrets, and must not show in MONITOR or SLOWLOG."""

from __future__ import annotations

from collections.abc import Sequence

from kvserver.config import BY_NAME
from kvserver.config.quoting import decode

HIDDEN = b"(redacted)"


def redact(name: str, args: Sequence[bytes]) -> list[bytes]:
    """`args` with passwords and the like replaced; `name` is the row's ("config|set")."""
    places = _SECRETS.get(name)
    if places is None:
        return list(args)
    secret = places(args)
    return [HIDDEN if index in secret else arg for index, arg in enumerate(args)]


def _all_arguments(args: Sequence[bytes]) -> set[int]:
    return set(range(1, len(args)))


def _after_auth(args: Sequence[bytes]) -> set[int]:
    """The user name and password behind AUTH (HELLO), or one argument or two behind AUTH and AUTH2 (MIGRATE)."""
    secret: set[int] = set()
    for index, arg in enumerate(args[1:], 1):
        word = arg.upper()
        if word == b"AUTH2" or (word == b"AUTH" and args[0].upper() == b"HELLO"):
            secret.update((index + 1, index + 2))
        elif word == b"AUTH":
            secret.add(index + 1)
    return secret


def _sensitive_options(args: Sequence[bytes]) -> set[int]:
    return {
        index + 1
        for index in range(2, len(args), 2)
        if (option := BY_NAME.get(decode(args[index]).lower())) is not None and option.sensitive
    }


def _user_rules(args: Sequence[bytes]) -> set[int]:
    return set(range(2, len(args)))


_SECRETS = {
    "auth": _all_arguments,
    "hello": _after_auth,
    "migrate": _after_auth,
    "config|set": _sensitive_options,
    "acl|setuser": _user_rules,
}
