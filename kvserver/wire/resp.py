# cython: boundscheck=False, wraparound=False
"""The RESP codec: requests in, replies out (https://redis.io/docs/reference/protocol-spec/).

Theory of operation.  `Parser` is fed the chunks a socket delivers and yields one request after another as a
list of bytes.  It keeps a partial request across chunks: the arguments read so far, how many are missing, and
the length of the one being read.  Memory follows what has really arrived, never what a header announces, and
a large argument that trickles in is joined once, when its last byte is there.  What violates the protocol
raises `ProtocolError` with the text that Redis answers before it closes the connection; the parser is dead then.

The encoders return the bytes of one reply.  They know both protocol versions; `proto` is 2 or 3.

This file is the hottest of all: compiled, it works on C pointers; uncompiled, the same lines run on bytes.
What the encoders write with, once compiled, stands in wire.pxd.
"""

from __future__ import annotations

import cython

from kvserver.wire.numbers import format_double
from kvserver.wire.quoting import split_args

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize  # type: ignore
    from cython.cimports.kvserver.wire.frames import bulk_size, write_bulk, write_head  # type: ignore
    from cython.cimports.libc.string import memcmp, memcpy  # type: ignore

INLINE_MAX = 64 * 1024
"""Longest inline request and longest header line, bytes (Redis's PROTO_INLINE_MAX_SIZE)."""
MULTIBULK_MAX = 2**31 - 1
NAME_MAX = 64
"""A first or second argument of fewer bytes is kept for the next request."""
_name_max = NAME_MAX  # C's copy, declared in the .pxd
UNAUTHENTICATED_MULTIBULK = 10
UNAUTHENTICATED_BULK = 16384

OK = b"+OK\r\n"
PONG = b"+PONG\r\n"
QUEUED = b"+QUEUED\r\n"
ZERO = b":0\r\n"
ONE = b":1\r\n"
MINUS_ONE = b":-1\r\n"
MINUS_TWO = b":-2\r\n"
NIL = b"$-1\r\n"
NIL_ARRAY = b"*-1\r\n"
NULL3 = b"_\r\n"
EMPTY_BULK = b"$0\r\n\r\n"
EMPTY_ARRAY = b"*0\r\n"
SHARED = 10000
"""Integers from 0 up to here are encoded once and shared, as values and as replies."""
_shared = SHARED  # C's copy, declared in the .pxd
_integers = [b":%d\r\n" % n for n in range(SHARED)]
_digits = [b"%d" % n for n in range(SHARED)]


class ProtocolError(Exception):
    """The peer broke the protocol; the text is what it is told before the connection is closed."""


class Parser:
    """Incremental parser of requests; see the module's theory of operation."""

    def __init__(self, max_bulk: int = 512 * 1024 * 1024) -> None:
        self.buf = b""
        self.pos = 0
        self.pieces: bytearray | None = None  # what has come of an argument not yet whole
        self.have = 0  # bytes in buf[pos:] and pieces together
        self.need = 0  # bytes wanted before parsing can go on; 0 = unknown
        self.args: list[bytes] = []
        self.left = 0  # arguments still missing from the request being read
        self.bulk_len = -1  # length of the argument being read; -1 = its header comes next
        self.max_bulk = max_bulk
        self.trusted = True  # False: an unauthenticated client, held to small requests
        self.name = b""  # the last first argument that was short, and the last second one: pipelines repeat themselves
        self.key = b""

    def feed(self, data: bytes) -> None:
        """Append what the socket delivered."""
        if self.pieces is not None:
            self.pieces += data
            self.have += len(data)
            if self.have < self.need:
                return
            self.buf = bytes(self.pieces)
            self.pieces = None
            self.need = 0
        elif self.pos >= len(self.buf):
            self.buf = data
        elif self.need:
            rest = self.buf[self.pos :]
            self.have = len(rest) + len(data)
            if self.have < self.need:
                self.pieces = bytearray(rest)
                self.pieces += data
                self.buf = b""
                self.pos = 0
                return
            self.buf = rest + data
            self.need = 0
        else:
            self.buf = self.buf[self.pos :] + data
        self.pos = 0

    def buffered(self) -> int:
        """Bytes held and not yet given out, for the query buffer's limit and for CLIENT LIST."""
        if self.pieces is not None:
            return self.have
        return len(self.buf) - self.pos

    def gathered(self) -> int:
        """Bytes of the arguments already read of a request that isn't whole."""
        return sum(map(len, self.args)) if self.left else 0

    def next(self) -> list[bytes] | None:
        """Return the next whole request, or None when more bytes are needed.

        Raises:
            ProtocolError: the bytes are no request.
        """
        if self.pieces is not None:
            return None
        self.need = 0  # what was wanted has come, or is wanted anew below
        buf: bytes = self.buf
        s: cython.p_const_char = buf
        n: cython.Py_ssize_t = len(buf)
        p: cython.Py_ssize_t
        v: cython.Py_ssize_t
        while self.left == 0:
            p = self.pos
            if p >= n:
                return None
            if s[p] != 42:  # '*'
                return self.inline()
            v = short_header(s, p + 1, n) if self.trusted else -1
            if v >= 0:
                self.pos = p + 4 + (v > 9) + (v > 99)
            else:
                v = self.header(p + 1, MULTIBULK_MAX, 0)
                if v == -2:
                    return None
            if v > 0:
                self.left = v
                self.args = []
        return self.args if self.arguments(s, n) else None

    def arguments(self, s: bytes, n: int) -> bool:
        """Read the arguments still missing from `s`, the buffer of `n` bytes; False when more bytes are needed."""
        args: list[bytes] = self.args
        p: cython.Py_ssize_t = self.pos
        v: cython.Py_ssize_t
        while self.left > 0:
            v = self.bulk_len
            if v < 0:
                self.pos = p
                if p >= n:
                    return False
                if s[p] != 36:  # '$'
                    raise ProtocolError("expected '$', got '%s'" % printable(self.buf[p]))
                v = short_header(s, p + 1, n)
                if v >= 0:
                    p += 4 + (v > 9) + (v > 99)
                else:
                    v = self.header(p + 1, self.max_bulk, 1)
                    if v == -2:
                        return False
                    p = self.pos
            if p + v + 2 > n:
                self.bulk_len = v
                self.pos = p
                self.need = v + 2
                return False
            if len(args) > 1 or v >= _name_max:
                args.append(s[p : p + v])
            elif args:
                self.key = again(s, p, v, self.key)
                args.append(self.key)
            else:
                self.name = again(s, p, v, self.name)
                args.append(self.name)
            p += v + 2
            self.bulk_len = -1
            self.left -= 1
        self.pos = p
        return True

    def header(self, start: int, most: int, is_bulk: int) -> int:
        """Read the number between `start` and CRLF and step over it; -2 when the line isn't whole."""
        end = self.buf.find(b"\r", start)
        if end < 0 or end + 1 >= len(self.buf):
            if len(self.buf) - start > INLINE_MAX:
                raise ProtocolError("too big bulk count string" if is_bulk else "too big mbulk count string")
            return -2
        digits = self.buf[start:end]
        value = strict_length(digits)
        if is_bulk:
            if value < 0 or value > most:
                raise ProtocolError("invalid bulk length")
            if not self.trusted and value > UNAUTHENTICATED_BULK:
                raise ProtocolError("unauthenticated bulk length")
        else:
            if value < -(2**62) or value > most:
                raise ProtocolError("invalid multibulk length")
            if not self.trusted and value > UNAUTHENTICATED_MULTIBULK:
                raise ProtocolError("unauthenticated multibulk length")
            value = max(value, -1)
        self.pos = end + 2
        return value

    def inline(self) -> list[bytes] | None:
        """Parse a line typed by a person (telnet); empty lines are skipped."""
        while True:
            end = self.buf.find(b"\n", self.pos)
            if end < 0:
                if len(self.buf) - self.pos > INLINE_MAX:
                    raise ProtocolError("too big inline request")
                return None
            line = self.buf[self.pos : end]
            if len(line) > INLINE_MAX:
                raise ProtocolError("too big inline request")
            args = split_args(line.removesuffix(b"\r"))
            if args is None:
                raise ProtocolError("unbalanced quotes in request")
            self.pos = end + 1
            if args:
                return args
            if self.pos < len(self.buf) and self.buf[self.pos] == 42:
                return self.next()


def short_header(s: bytes, q: int, n: int) -> int:
    """Read a header of one to three digits that begins at `q` of `s`, `n` bytes long.

    Return -1 for any other, which then goes the careful way.  The header takes 4 bytes up to 9 ("*3" and CRLF),
    one more from 10 on, two more from 100 on.
    """
    if q + 2 > n:
        return -1
    v = s[q] - 48
    if v < 0 or v > 9:
        return -1
    q += 1
    c = s[q] - 48
    if 0 <= c <= 9 and v and q + 1 < n:
        v = v * 10 + c
        q += 1
        c = s[q] - 48
        if 0 <= c <= 9 and q + 1 < n:
            v = v * 10 + c
            q += 1
    return v if s[q] == 13 and q + 1 < n else -1


def again(s: bytes, p: int, v: int, last: bytes) -> bytes:
    """Return the `v` bytes at `p` of `s`: `last` itself if they are the same, because its hash is known."""
    if cython.compiled and v == len(last) and memcmp(s + p, PyBytes_AS_STRING(last), v) == 0:
        return last
    return s[p : p + v]


def printable(byte: int) -> str:
    """Show one byte of a peer in an error text, without letting it break the line."""
    return chr(byte) if 32 <= byte < 127 else "\\x%02x" % byte


def strict_length(digits: bytes) -> int:
    """Parse a header's number as Redis's string2ll does; -2**63 stands for "no number"."""
    body = digits[1:] if digits[:1] == b"-" else digits
    if not body or len(body) > 18 or not body.isdigit() or (body[0] == 48 and len(digits) > 1):
        return -(2**63)
    return int(digits)


def bulk(value: bytes) -> bytes:
    """Encode a bulk string."""
    if cython.compiled:
        out: bytes = PyBytes_FromStringAndSize(cython.NULL, bulk_size(len(value)))
        write_bulk(PyBytes_AS_STRING(out), value)
        return out
    return b"$%d\r\n%b\r\n" % (len(value), value)


def integer(n: int) -> bytes:
    """Encode an integer reply."""
    if 0 <= n < _shared:
        return _integers[n]
    if cython.compiled:
        tmp = cython.declare(cython.char[24])
        size: cython.Py_ssize_t = write_head(tmp, 58, n)
        return PyBytes_FromStringAndSize(tmp, size)  # type: ignore[no-any-return]
    return b":%d\r\n" % n


def digits(n: int) -> bytes:
    """Encode an integer as the string value that it is."""
    if 0 <= n < _shared:
        return _digits[n]
    if cython.compiled:
        tmp = cython.declare(cython.char[24])
        size: cython.Py_ssize_t = write_head(tmp, 58, n)
        return PyBytes_FromStringAndSize(tmp + 1, size - 3)  # type: ignore[no-any-return]
    return b"%d" % n


def encode_request(args: list[bytes]) -> bytes:
    """Encode a request, or an effect for the command log, as an array of bulk strings."""
    return bulks(args)


def bulks(values: list[bytes]) -> bytes:
    """Encode an array of bulk strings."""
    if cython.compiled:
        head = cython.declare(cython.char[24])
        size: cython.Py_ssize_t = write_head(head, 42, len(values))
        total: cython.Py_ssize_t = size
        item: bytes
        for item in values:
            total += bulk_size(len(item))
        out: bytes = PyBytes_FromStringAndSize(cython.NULL, total)
        d: cython.p_char = PyBytes_AS_STRING(out)
        memcpy(d, head, size)
        d += size
        for item in values:
            d += write_bulk(d, item)
        return out
    parts: list[bytes] = [b"*%d\r\n" % len(values)]
    value: bytes
    for value in values:
        parts.append(bulk(value))
    return b"".join(parts)


def array(items: list[bytes]) -> bytes:
    """Encode an array of replies that are encoded already."""
    return b"*%d\r\n%b" % (len(items), b"".join(items))


def array_header(n: int) -> bytes:
    """Begin an array of `n` replies."""
    return b"*%d\r\n" % n


def map_header(n: int, proto: int) -> bytes:
    """Begin a map of `n` pairs; RESP2 has no maps, so a flat array of 2n."""
    return b"%%%d\r\n" % n if proto == 3 else b"*%d\r\n" % (2 * n)


def set_header(n: int, proto: int) -> bytes:
    """Begin a set of `n` members; an array in RESP2."""
    return b"~%d\r\n" % n if proto == 3 else b"*%d\r\n" % n


def push_header(n: int, proto: int) -> bytes:
    """Begin an out-of-band message of `n` elements; an array in RESP2."""
    return b">%d\r\n" % n if proto == 3 else b"*%d\r\n" % n


def double(value: float, proto: int) -> bytes:
    """Encode a floating-point number; a bulk string in RESP2."""
    text = format_double(value)
    return b",%b\r\n" % text if proto == 3 else bulk(text)


def boolean(value: bool, proto: int) -> bytes:
    """Encode a truth value; 1 or 0 in RESP2."""
    if proto == 3:
        return b"#t\r\n" if value else b"#f\r\n"
    return ONE if value else ZERO


def null(proto: int) -> bytes:
    """Encode "nothing"; RESP2's null bulk string."""
    return NULL3 if proto == 3 else NIL


def null_array(proto: int) -> bytes:
    """Encode "no array"; RESP2's null array."""
    return NULL3 if proto == 3 else NIL_ARRAY


def verbatim(text: bytes, proto: int, kind: bytes = b"txt") -> bytes:
    """Encode a text for people (`kind` is txt or mkd); a bulk string in RESP2."""
    return b"=%d\r\n%b:%b\r\n" % (len(text) + 4, kind, text) if proto == 3 else bulk(text)


def simple(text: str | bytes) -> bytes:
    """Encode a status reply; line breaks, which the wire can't carry, become spaces."""
    raw = text.encode() if isinstance(text, str) else text
    return b"+%b\r\n" % raw.replace(b"\r", b" ").replace(b"\n", b" ")


def error(text: str | bytes) -> bytes:
    """Encode an error reply; `text` begins with its code, as "ERR …"."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return b"-%b\r\n" % raw.replace(b"\r", b" ").replace(b"\n", b" ")
