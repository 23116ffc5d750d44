"""How many bytes are allocated: asked of Python's allocator and the C library's, where they can tell.

The memory a process holds in RAM doesn't fall when objects are freed, because allocators keep what is free for
what comes next; a limit compared with it would evict everything and still be exceeded.  CPython counts the bytes
in its blocks in the statistics meant for debugging, glibc those of large objects in `mallinfo2`; both take
microseconds, growing to milliseconds with gigabytes.  Elsewhere the memory in RAM has to do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_BLOCKS = b"# bytes in allocated blocks"
_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _MallInfo(ctypes.Structure):
    """struct mallinfo2 of glibc."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def allocated_bytes_meter() -> Callable[[], int] | None:
    """Return a function that tells the bytes allocated now, or None where nobody can."""
    with suppress(AttributeError, OSError, TypeError, ValueError):
        meter = _Meter()
        if meter.read() > 0:
            return meter.read
    return None


class _Meter:
    """The two allocators' functions."""

    def __init__(self) -> None:
        """Raises AttributeError or OSError where one of them is missing."""
        libc: Any = ctypes.CDLL(None)
        self._print_statistics: Any = ctypes.pythonapi._PyObject_DebugMallocStats
        self._print_statistics.argtypes = [ctypes.c_void_p]
        self._open: Any = libc.open_memstream
        self._open.restype = ctypes.c_void_p
        self._open.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t)]
        self._close: Any = libc.fclose
        self._close.argtypes = [ctypes.c_void_p]
        self._free: Any = libc.free
        self._free.argtypes = [ctypes.c_void_p]
        self._mallinfo: Any = libc.mallinfo2
        self._mallinfo.restype = _MallInfo

    def read(self) -> int:
        """Bytes in small objects and in large ones.

        Raises:
            ValueError: Python's statistics are in no known form.
        """
        large = self._mallinfo()
        return self._small() + int(large.uordblks) + int(large.hblkhd)

    def _small(self) -> int:
        text, size = ctypes.c_void_p(), ctypes.c_size_t()
        stream = self._open(ctypes.byref(text), ctypes.byref(size))
        if not stream:
            raise ValueError("no memory for the statistics")
        self._print_statistics(stream)
        self._close(stream)
        try:
            told = ctypes.string_at(text.value or 0, size.value)
        finally:
            self._free(text)
        at = told.index(_BLOCKS) + len(_BLOCKS)
        line = told[at : told.index(b"\n", at)]
        return int(line.strip(b" =").replace(b",", b""))
