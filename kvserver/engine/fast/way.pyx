# cython: boundscheck=False, wraparound=False, cdivision=True
"""The fast way: an executor of runs of requests whose commands have forms; what `way.py` beside it says in full.

Theory of operation.  From where the parser stands, whole plain requests are found in its buffer (`spans.pxd`). The name
is looked up among the commands that have a form; the gates' bits and the session's attention are asked as in
`Engine.execute`; then the form answers or declines. At the first request that isn't whole, isn't plain, has no form, is
forbidden or declined, the careful way goes on, with the parser standing before it.

Requests of one command in a row are a *run*: the clock is read once for all of them, and each is counted with an equal
part of the time. What a run of changes adds to the log is the bytes as they came, in one piece: a plain request is
written as the log would write it.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.time cimport perf_counter_ns
from libc.stdint cimport uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from kvserver.engine.command_table.row cimport Row
from kvserver.engine.fast.asking cimport CHANGED, DECLINED, RETOLD, asked_t
from kvserver.engine.fast.reply cimport reply_t, room
from kvserver.engine.fast.spans cimport argument, header, span_t
from kvserver.engine.fast.strings cimport string_form
from kvserver.engine.fast.times cimport time_form
from kvserver.engine.keys.keyspace cimport State
from kvserver.engine.run.executor cimport Engine
from kvserver.engine.run.log cimport CommandLog
from kvserver.engine.run.session cimport Session
from kvserver.wire.resp cimport Parser

from kvserver.engine.commands import all_handlers

NAMES = (
    b"GET", b"SET", b"INCR", b"DECR", b"INCRBY", b"DECRBY", b"MGET", b"MSET", b"SETNX", b"DEL", b"UNLINK", b"EXISTS",
    b"STRLEN", b"SETEX", b"PSETEX", b"EXPIRE", b"PEXPIRE", b"TTL", b"PTTL",
)
cdef enum:
    ARGUMENTS = 64      # of a request, at most
    REPLIES = 1 << 18   # bytes gathered at most before somebody else has a turn
    ROOM = 64           # bytes of the reply's buffer that a form finds free
    SLOW_NS = 200000    # who wants to see calls as short as this sees each by itself
    BUCKET_NS = 4000    # BUCKET_S of the executor


cdef inline uint64_t folded(const char *s, size_t n) noexcept:
    """A name of up to eight bytes in capitals, as one number; 0 for a longer one."""
    cdef uint64_t v = 0
    if n > 8:
        return 0
    memcpy(&v, s, n)
    return v & 0xDFDFDFDFDFDFDFDFULL


cdef inline size_t place(uint64_t name) noexcept:
    return (name * 0x9E3779B97F4A7C15ULL) >> 58


cdef class FastWay:
    """Serves what has a form; see the module's theory of operation."""

    def __cinit__(self):
        memset(&self.reply, 0, sizeof(reply_t))
        memset(&self.effect, 0, sizeof(reply_t))
        memset(self.commands, 0, sizeof(self.commands))

    def __init__(self, engine):
        self.engine = engine
        self.rows = []
        self.ready = False

    def __dealloc__(self):
        free(self.reply.data)
        free(self.effect.data)

    cdef prepare(self):
        """Find the rows of the commands that have a form; one with another handler doesn't do what the form does."""
        cdef size_t i
        cdef uint64_t name
        cdef list names = [text for text in NAMES if text in self.engine.rows]
        cdef dict handlers = all_handlers() if names else {}
        for text in names:
            row = self.engine.rows[text]
            if row.fn is not handlers[text.decode()]:
                continue
            self.rows.append(row)
            name = folded(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
            i = place(name)
            while self.commands[i].name:
                i = (i + 1) % PLACES
            self.commands[i].name = name
            self.commands[i].form = string_form(text) or time_form(text)
            self.commands[i].row = <void *>row
        self.ready = True

    cdef command_t *find(self, uint64_t name) noexcept:
        cdef size_t i = place(name)
        while self.commands[i].name:
            if self.commands[i].name == name:
                return &self.commands[i]
            i = (i + 1) % PLACES
        return NULL

    cdef bint unwatched(self, Session c) noexcept:
        """Whether nobody has to be told of what is done to the session's database, but by the log."""
        cdef Engine engine = self.engine
        cdef State st = engine.state
        return (
            engine.depth == 0
            and c.db.observers == 0
            and c.db.access is None
            and st.notify_flags == 0
            and st.own_volatile is None
            and not c.db.hooks
            and engine.slow_s * 1e9 >= SLOW_NS
        )

    cdef const char *read(
        self, const char *p, const char *end, span_t *a, size_t *n, command_t **one, long deny
    ) noexcept:
        """Read a request whose command has a form and no flag of `deny`; the place behind it, or NULL for any other."""
        cdef size_t i
        cdef Row row
        p = header(p + 1, end, n)
        if p == NULL or n[0] < 2 or n[0] > ARGUMENTS:
            return NULL
        p = argument(p, end, &a[0])
        if p == NULL:
            return NULL
        one[0] = self.find(folded(a[0].s, a[0].n))
        if one[0] == NULL:
            return NULL
        row = <Row>one[0].row
        if row.flags & deny or <Py_ssize_t>n[0] < row.least or <Py_ssize_t>n[0] > row.most:
            return NULL
        for i in range(1, n[0]):
            p = argument(p, end, &a[i])
            if p == NULL:
                return NULL
        return p if room(&self.reply, ROOM) else NULL

    cdef int answer(self, Session c, command_t *one, const span_t *a, size_t n, asked_t *q) except -1:
        """Have the form answer; DECLINED has changed and written nothing."""
        cdef int answer
        try:
            answer = one.form(c.db, a, n, q)
        except MemoryError:
            if c.db.state.touched:
                self.engine.broken((<Row>one.row).name)
            answer = DECLINED
        if answer == DECLINED:
            self.effect.size = 0
        return answer

    cpdef Py_ssize_t serve(self, Session c, Parser parser) except -1:
        """Serve requests from where the parser stands as long as forms answer; return how many were served."""
        cdef span_t[ARGUMENTS] a
        cdef const char *start = PyBytes_AS_STRING(parser.buf)
        cdef const char *p = start + parser.pos
        cdef const char *end = start + PyBytes_GET_SIZE(parser.buf)
        cdef const char *behind
        cdef const char *logged = NULL  # where the changes begin that aren't in the log yet
        cdef command_t *command = NULL
        cdef command_t *one
        cdef size_t n
        cdef int answer
        cdef Py_ssize_t served = 0, run = 0
        cdef asked_t q
        if p >= end or c.attention or not parser.trusted or not self.begins(c, parser):
            return 0
        q = asked_t(&self.reply, &self.effect, self.engine.state.logging, c.resp)
        while p < end and p[0] == 42 and self.reply.size < REPLIES:
            behind = self.read(p, end, a, &n, &one, self.engine.deny)
            if behind == NULL:
                break
            if one != command and run:
                self.close_run(c, command, run, logged, p)
                logged = NULL
                run = 0
            command = one
            answer = self.answer(c, one, a, n, &q)
            if answer == DECLINED:
                break
            if answer == CHANGED:
                if logged == NULL:
                    logged = p
            elif logged != NULL:
                self.log(c, logged, p)
                logged = NULL
            if answer == RETOLD and q.logging:
                self.log(c, self.effect.data, self.effect.data + self.effect.size)
                self.effect.size = 0
            p = behind
            parser.pos = p - start
            run += 1
            served += 1
        if run:
            self.close_run(c, command, run, logged, p)
        return served

    cpdef Py_ssize_t repeat(self, Session c, Parser parser) except -1:
        """Do what a log says that somebody else has, as long as forms answer; return how many requests those were.

        Nobody is asked, and nothing is logged or answered.
        """
        cdef span_t[ARGUMENTS] a
        cdef const char *start = PyBytes_AS_STRING(parser.buf)
        cdef const char *p = start + parser.pos
        cdef const char *end = start + PyBytes_GET_SIZE(parser.buf)
        cdef const char *behind
        cdef command_t *command = NULL
        cdef command_t *one
        cdef size_t n
        cdef Py_ssize_t done = 0, run = 0
        cdef asked_t q
        if p >= end or not self.begins(c, parser):
            return 0
        q = asked_t(&self.reply, &self.effect, False, c.resp)
        while p < end and p[0] == 42:
            behind = self.read(p, end, a, &n, &one, 0)
            if behind == NULL:
                break
            if one != command and run:
                self.close_run(c, command, run, NULL, NULL)
                run = 0
            command = one
            if self.answer(c, one, a, n, &q) == DECLINED:
                break
            self.reply.size = 0
            p = behind
            parser.pos = p - start
            run += 1
            done += 1
        if run:
            self.close_run(c, command, run, NULL, NULL)
        return done

    cdef bint begins(self, Session c, Parser parser) except -1:
        """Whether the parser stands before a request, and forms may answer."""
        if parser.left or parser.pieces is not None or not self.unwatched(c):
            return False
        if not self.ready:
            self.prepare()
        return True

    cdef close_run(self, Session c, command_t *command, Py_ssize_t served, const char *begin, const char *end):
        """Log what a run has changed, from `begin` on, if that isn't NULL; count it."""
        cdef Engine engine = self.engine
        cdef Row row = <Row>command.row
        cdef long long now, each
        if begin != NULL:
            self.log(c, begin, end)
        now = perf_counter_ns()
        each = (now - engine.last_ns) // served
        row.calls += served
        row.seconds += (now - engine.last_ns) * 1e-9
        engine.last_ns = now
        engine.commands += served
        c.row = row
        c.did |= row.flags
        if each >= BUCKET_NS:
            row.buckets[min((<object>(each // 1000)).bit_length(), len(row.buckets) - 1)] += served

    cdef log(self, Session c, const char *begin, const char *end):
        """Append requests to the log as they came, if anybody wants it."""
        cdef Engine engine = self.engine
        cdef State st = engine.state
        cdef CommandLog log = engine.log
        if not st.logging:
            return
        try:
            log.append_plain(c.db.index, PyBytes_FromStringAndSize(begin, end - begin))
        except Exception:
            engine.broken("logging effects")
        c.write_offset = log.offset

    cpdef bytes take(self):
        """Return the replies that have gathered."""
        cdef bytes replies = PyBytes_FromStringAndSize(self.reply.data, self.reply.size)
        self.reply.size = 0
        if self.reply.capacity > 4 * REPLIES:
            free(self.reply.data)
            memset(&self.reply, 0, sizeof(reply_t))
        return replies
