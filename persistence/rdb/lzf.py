# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""LZF, the compression inside RDB strings.

The format is a sequence of runs, each begun by a control byte c:

    c < 32          a literal run: the next c + 1 bytes are copied as they are otherwise       a back
    reference: c >> 5 is the length less 2 (7: add the next byte to it), the low five bits of
                    c and one more byte are the distance less 1

So the greatest distance is 8192, the longest reference 264 bytes, the longest literal run 32. `compress`
finds references as liblzf does (the last position of each hashed three-byte sequence; two positions are
noted after a reference), because then our payloads equal those of Redis byte for byte.
"""

from __future__ import annotations

_MAX_LITERAL = 32
_MAX_DISTANCE = 8192
_MAX_REFERENCE = 264

MAX_RATIO = 88
"""The greatest growth of decompression: three bytes make 264."""

# Where each hashed sequence was last seen, as _epoch + position. The table is never cleared: every call
# begins a new epoch above all older entries, so that compressing twenty bytes does not cost clearing half a
# megabyte.
_seen = [0] * 65536
_epoch = 1


class LzfError(ValueError):
    """Not valid LZF, or not of the announced length."""


def compress(data: bytes, limit: int) -> bytes | None:
    """`data` compressed, or None when that takes more than `limit` bytes."""
    global _epoch
    size = len(data)
    base = _epoch
    _epoch = base + size + 1
    out = bytearray()
    last = size - 2
    # `literal`: where the pending literal run began; `used`: what is written, len(out).
    pos = literal = used = 0
    while pos < last:
        slot = _slot(data, pos)
        ref = _seen[slot] - base
        _seen[slot] = base + pos
        # Position 0 is never referred to: liblzf takes it for an empty slot.
        if (
            ref <= 0
            or ref >= pos
            or pos - ref > _MAX_DISTANCE
            or data[ref] != data[pos]
            or data[ref + 1] != data[pos + 1]
            or data[ref + 2] != data[pos + 2]
        ):
            if used + 1 + pos - literal >= limit:
                return None
            pos += 1
            if pos - literal == _MAX_LITERAL:
                used += _literal(out, data, literal, pos)
                literal = pos
            continue
        used += _literal(out, data, literal, pos)
        # liblzf tests the space before it takes back an empty run's control byte, hence 4 and not 3.
        if used + 4 >= limit:
            return None
        length = _match(data, ref, pos, size)
        used += _reference(out, pos - ref - 1, length)
        pos += length
        literal = pos
        if pos < last:
            _seen[_slot(data, pos - 2)] = base + pos - 2
            _seen[_slot(data, pos - 1)] = base + pos - 1
    if used + 1 + pos - literal + 3 > limit:
        return None
    while literal < size:
        pos = min(size, literal + _MAX_LITERAL)
        _literal(out, data, literal, pos)
        literal = pos
    return bytes(out)


def _slot(data: bytes, pos: int) -> int:
    three = data[pos] << 16 | data[pos + 1] << 8 | data[pos + 2]
    return ((three >> 8) - three * 5) & 0xFFFF


def _match(data: bytes, ref: int, pos: int, size: int) -> int:
    """How far the data at `pos` repeats that at `ref`, given that three bytes do."""
    longest = size - pos - 2
    if longest > _MAX_REFERENCE:
        longest = _MAX_REFERENCE
    elif 16 < longest < 19:  # liblzf compares the first 16 beyond these three without looking at the end
        longest = 19
    length = 3
    while length < longest and data[ref + length] == data[pos + length]:
        length += 1
    return length


def _literal(out: bytearray, data: bytes, start: int, stop: int) -> int:
    """Write a literal run, unless it is empty; how many bytes that took."""
    if stop == start:
        return 0
    out.append(stop - start - 1)
    out += data[start:stop]
    return stop - start + 1


def _reference(out: bytearray, away: int, length: int) -> int:
    """Write a back reference; how many bytes that took."""
    if length < 9:
        out.append((length - 2) << 5 | away >> 8)
        out.append(away & 0xFF)
        return 2
    out.append(7 << 5 | away >> 8)
    out.append(length - 9)
    out.append(away & 0xFF)
    return 3


def decompress(data: bytes, size: int) -> bytes:
    """The `size` bytes that `data` stands for.

    Raises:
        LzfError: the data is corrupt, or makes more or fewer bytes. Nothing is allocated by the announced
        size.
    """
    out = bytearray()
    pos = made = 0
    end = len(data)
    while pos < end:
        control = data[pos]
        pos += 1
        if control < 32:
            length = control + 1
            if pos + length > end:
                raise LzfError("LZF literal run is cut short")
            out += data[pos : pos + length]
            pos += length
        else:
            length = (control >> 5) + 2
            if pos + (2 if length == 9 else 1) > end:
                raise LzfError("LZF back reference is cut short")
            if length == 9:
                length += data[pos]
                pos += 1
            start = made - ((control & 31) << 8) - data[pos] - 1
            pos += 1
            if start < 0:
                raise LzfError("LZF back reference points before the beginning")
            piece = out[start : start + length]
            if len(piece) < length:  # a reference into itself repeats
                piece = (piece * (length // len(piece) + 1))[:length]
            out += piece
        made += length
        if made > size:
            raise LzfError("LZF data is longer than announced")
    if made != size:
        raise LzfError("LZF data is shorter than announced")
    return bytes(out)
