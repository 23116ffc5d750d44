"""CLIENT TRACKING and the subcommands around it: client-side caching."""

from __future__ import annotations

from kvserver.admin.context import admin_of
from kvserver.engine.events.tracking import Mode, Tracker, check_prefixes
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import MINUS_ONE, OK, bulk, bulks, integer, map_header, set_header

NAME = "tracking"
"""What the gate is called."""
_SWITCHES = (b"BCAST", b"OPTIN", b"OPTOUT", b"NOLOOP")
_AFRESH = " before disabling tracking for this client, and then re-enabling it with a different mode."


def tracker_of(c: Session) -> Tracker:
    """The tracker of the session's engine."""
    return admin_of(c).tracker


def tracking(c: Session, a: list[bytes]) -> bytes:
    """CLIENT TRACKING ON|OFF [REDIRECT id] [BCAST] [PREFIX prefix ...] [OPTIN] [OPTOUT] [NOLOOP]."""
    redirect, switches, prefixes = _parse(c, a)
    word = a[2].upper()
    if word == b"ON":
        bcast, optin, optout, noloop = (switch in switches for switch in _SWITCHES)
        mode = Mode(redirect, bcast, optin, optout, noloop)
        _check(c.tracking, mode, prefixes)
        tracker_of(c).enable(c, mode, prefixes)
    elif word == b"OFF":
        tracker_of(c).disable(c)
    else:
        raise CommandError(SYNTAX)
    return OK


def _parse(c: Session, a: list[bytes]) -> tuple[int, set[bytes], list[bytes]]:
    """Return (id to redirect to or 0, switches, prefixes)."""
    redirect = 0
    switches: set[bytes] = set()
    prefixes: list[bytes] = []
    i = 3
    while i < len(a):
        option = a[i].upper()
        more = i + 1 < len(a)
        if option == b"REDIRECT" and more:
            i += 1
            if redirect:
                raise CommandError("ERR A client can only redirect to a single other client")
            redirect = parse_int(a[i])
            if redirect not in c.engine.sessions:
                raise CommandError("ERR The client ID you want redirect to does not exist")
        elif option in _SWITCHES:
            switches.add(option)
        elif option == b"PREFIX" and more:
            i += 1
            prefixes.append(a[i])
        else:
            raise CommandError(SYNTAX)
        i += 1
    return redirect, switches, prefixes


def _check(old: Mode | None, new: Mode, prefixes: list[bytes]) -> None:
    """Refuse options that contradict each other or the mode the client is in, in Redis's order."""
    if prefixes and not new.bcast:
        raise CommandError("ERR PREFIX option requires BCAST mode to be enabled")
    if old is not None and old.bcast != new.bcast:
        raise CommandError("ERR You can't switch BCAST mode on/off" + _AFRESH)
    if new.bcast and (new.optin or new.optout):
        raise CommandError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if new.optin and new.optout:
        raise CommandError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if old is not None and ((new.optin and old.optout) or (new.optout and old.optin)):
        raise CommandError("ERR You can't switch OPTIN/OPTOUT mode" + _AFRESH)
    if new.bcast:
        check_prefixes(old.prefixes if old is not None else (), prefixes)


def caching(c: Session, a: list[bytes]) -> bytes:
    """CLIENT CACHING YES|NO: whether the keys of the next request are tracked."""
    mode: Mode | None = c.tracking
    if mode is None:
        raise CommandError(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
            "enabled"
        )
    word = a[2].upper()
    if word not in (b"YES", b"NO"):
        raise CommandError(SYNTAX)
    needed, fits = ("OPTIN", mode.optin) if word == b"YES" else ("OPTOUT", mode.optout)
    if not fits:
        text = f"ERR CLIENT CACHING {word.decode()} is only valid when tracking is enabled in {needed} mode."
        raise CommandError(text)
    mode.caching = True
    return OK


def getredir(c: Session, a: list[bytes]) -> bytes:
    """CLIENT GETREDIR: the id redirected to, 0 for none, -1 when the client doesn't track."""
    return MINUS_ONE if c.tracking is None else integer(c.tracking.redirect)


def trackinginfo(c: Session, a: list[bytes]) -> bytes:
    """CLIENT TRACKINGINFO."""
    mode: Mode | None = c.tracking
    flags = [b"off"] if mode is None else _flags(mode)
    fields = {
        b"flags": set_header(len(flags), c.resp) + b"".join(map(bulk, flags)),
        b"redirect": getredir(c, a),
        b"prefixes": bulks([] if mode is None else sorted(mode.prefixes)),
    }
    return map_header(len(fields), c.resp) + b"".join(bulk(name) + value for name, value in fields.items())


def _flags(mode: Mode) -> list[bytes]:
    told = (
        (b"on", True),
        (b"bcast", mode.bcast),
        (b"optin", mode.optin),
        (b"caching-yes", mode.optin and mode.caching),
        (b"optout", mode.optout),
        (b"caching-no", mode.optout and mode.caching),
        (b"noloop", mode.noloop),
        (b"broken_redirect", mode.broken),
    )
    return [name for name, on in told if on]


HANDLERS = {
    "CLIENT|CACHING": caching,
    "CLIENT|GETREDIR": getredir,
    "CLIENT|TRACKING": tracking,
    "CLIENT|TRACKINGINFO": trackinginfo,
}
