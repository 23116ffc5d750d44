# The front of the parser: it finds the arguments of a whole plain request as they lie in the buffer, and stops at
# whatever else comes; the careful parser (`kvserver.wire.resp`) goes on from there. Plain is a request of arrays and
# bulk strings with headers as everybody writes them: no sign, no leading zero, at most six digits, which
# is below the least limit that an argument can be given.

cdef struct span_t:
    const char *s
    size_t n

# Read a header's number behind its mark at `p`, and step over CRLF; return the next place, NULL for anything else.
cdef inline const char *header(const char *p, const char *end, size_t *n) noexcept:
    cdef size_t v = 0
    cdef const char *first = p
    while p < end and 48 <= p[0] <= 57:
        v = v * 10 + (p[0] - 48)
        p += 1
    if p == first or p - first > 6 or (first[0] == 48 and p - first > 1):
        return NULL
    if end - p < 2 or p[0] != 13 or p[1] != 10:
        return NULL
    n[0] = v
    return p + 2

# Read one argument; return the place behind it, NULL when it isn't whole or not plain.
cdef inline const char *argument(const char *p, const char *end, span_t *span) noexcept:
    if p >= end or p[0] != 36:
        return NULL
    p = header(p + 1, end, &span.n)
    if p == NULL or <size_t>(end - p) < span.n + 2:
        return NULL
    span.s = p
    return p + span.n + 2
