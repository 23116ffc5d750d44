"""`Services`: all that the parts of one node offer each other."""

from __future__ import annotations

from typing import TypeVar

from kvserver.config import Config
from kvserver.doors import Doors, real_doors
from kvserver.services.alone import (
    NoAccessControl,
    NoAdministration,
    NoPersistence,
    NoReplication,
    NoScripting,
    NoTls,
)
from kvserver.services.contributions import Contributions
from kvserver.services.offers import (
    AccessControl,
    Administration,
    Persistence,
    Replication,
    Scripting,
    TlsContexts,
)
from kvserver.services.signals import Signals

T = TypeVar("T")


class Services:
    """See the package's docstring. A part assigns what it offers to the attribute of its Protocol."""

    def __init__(
        self, config: Config | None = None, tls: TlsContexts | None = None, doors: Doors | None = None
    ) -> None:
        self.doors = real_doors() if doors is None else doors
        self.clock = self.doors.clock
        self.config = Config() if config is None else config
        self.tls: TlsContexts = NoTls() if tls is None else tls
        self.mode = b"standalone"  # or b"sentinel": what HELLO says of the process
        self.access: AccessControl = NoAccessControl()
        self.administration: Administration = NoAdministration()
        self.scripting: Scripting = NoScripting()
        self.persistence: Persistence = NoPersistence()
        self.replication: Replication = NoReplication()
        self.signals = Signals()
        self.contributions = Contributions()
        self._kept: dict[type, object] = {}

    def keep(self, thing: object) -> None:
        """Keep what a part's own handlers work on; one of each type, which only that part asks for."""
        self._kept[type(thing)] = thing

    def kept(self, kind: type[T]) -> T:
        """What was kept of a type. Raises KeyError: the part that keeps it isn't there, a fault of ours."""
        found = self._kept[kind]
        assert isinstance(found, kind)
        return found
