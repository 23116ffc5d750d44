"""The doors to the world: what a node or a sentinel is given when it is put together.

Who needs the time, chance or a fact of the machine takes it from its node's `Doors`, never from a module of Python's,
so that several nodes live in one process without touching each other, and a test or a simulation can put anything
behind a door. `kinds` says which there are, `real` opens them to the machine itself.

Two things have no door. The event loop (timers, sockets) is given by whoever runs it. And the executor and the
server read a clock in C to tell how long a command took: that is shown, and decides nothing.
"""

from kvserver.doors.kinds import Chance, Clock, Disk, Doors, Machine, Process, Sockets, Threads
from kvserver.doors.real import real_doors

__all__ = ["Chance", "Clock", "Disk", "Doors", "Machine", "Process", "Sockets", "Threads", "real_doors"]
