"""The options by which XADD and XTRIM shorten a stream."""

from __future__ import annotations

import cython

from kvserver.engine.keys.keyspace import BIG, State
from kvserver.engine.run.session import Session
from kvserver.engine.values.id_map import MIN_ID
from kvserver.engine.values.stream_value import StreamValue
from kvserver.errors import SYNTAX, CommandError

if cython.compiled:
    from cython.cimports.kvserver.engine.commands.streams.ids import count_of, parse_id  # type: ignore
    from cython.cimports.kvserver.engine.values.id_map import format_id  # type: ignore
else:
    from kvserver.engine.commands.streams.ids import count_of, parse_id
    from kvserver.engine.values.id_map import format_id

_BOTH = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
_OBEYED = ("primary", "loader")
"""Sessions whose requests were checked, and made exact, elsewhere."""
_NODES_AT_ONCE = 100
"""How many nodes a trim of about so much may remove."""


class Trim:
    """The options that XADD and XTRIM share, and where they stood."""

    def __init__(self) -> None:
        self.by = b""  # MAXLEN, MINID
        self.about = False
        self.limit = 0
        self.most = 0
        self.lowest = MIN_ID
        self.place = 0  # of the threshold among the arguments
        self.make = True  # not NOMKSTREAM
        self.limited = False

    def read(self, c: Session, a: list[bytes], adding: bool) -> int:
        """Read options; return the place of the argument behind them (for XADD, that of the id)."""
        i = 2
        while i < len(a):
            word = a[i].upper()
            more = i + 1 < len(a)
            if word in (b"MAXLEN", b"MINID") and more:
                i = self._threshold(a, i, word)
            elif word == b"LIMIT" and more:
                i += 1
                self.limit = count_of(a[i])
                if self.limit < 0:
                    raise CommandError("ERR The LIMIT argument must be >= 0.")
                self.limited = True
            elif adding and word == b"NOMKSTREAM":
                self.make = False
            elif adding:
                break
            else:
                raise CommandError(SYNTAX)
            i += 1
        return i

    def _threshold(self, a: list[bytes], i: int, word: bytes) -> int:
        if self.by:
            raise CommandError(_BOTH)
        i += 1
        self.about = False
        if i + 1 < len(a) and a[i] in (b"~", b"="):
            self.about = a[i] == b"~"
            i += 1
        if word == b"MAXLEN":
            self.most = count_of(a[i])
            if self.most < 0:
                raise CommandError("ERR The MAXLEN argument must be >= 0.")
        else:
            self.lowest = parse_id(a[i])
        self.by = word
        self.place = i
        return i

    def check(self, c: Session, adding: bool) -> None:
        """Refuse what doesn't go together, and set the limit where none was given."""
        if self.limit and not self.by:
            raise CommandError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        if not adding and not self.by:
            raise CommandError("ERR syntax error, XTRIM must be called with a trimming strategy")
        if c.kind in _OBEYED:
            self.limit = 0
        elif self.limited and not self.about:
            raise CommandError("ERR syntax error, LIMIT cannot be used without the special ~ option")
        elif self.about and not self.limited:
            most = _NODES_AT_ONCE * c.db.state.limits.stream_entries
            self.limit = min(most, 1_000_000) if most > 0 else 10_000

    def apply(self, value: StreamValue, state: State) -> int:
        """Trim; return how many entries went."""
        if self.by == b"MAXLEN":
            gone = value.trim_to_length(self.most, self.about, self.limit)
        else:
            gone = value.trim_below(self.lowest, self.about, self.limit)
        if gone > BIG:
            state.trash.append(value.take_waste())
        elif value.waste:
            value.waste.clear()
        return gone

    def exact(self, line: list[bytes], value: StreamValue) -> None:
        """Turn "about so much" into what was left, so that whoever repeats the request leaves the same."""
        if self.about:
            line[self.place - 1] = b"="
            line[self.place] = b"%d" % value.length if self.by == b"MAXLEN" else format_id(value.first_kept_id())
