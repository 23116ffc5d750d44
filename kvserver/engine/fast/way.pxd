from kvserver.engine.fast.asking cimport asked_t, form_t
from kvserver.engine.fast.reply cimport reply_t
from kvserver.engine.fast.spans cimport span_t
from kvserver.engine.run.executor cimport Engine
from kvserver.engine.run.session cimport Session
from kvserver.wire.resp cimport Parser
from libc.stdint cimport uint64_t

cdef enum:
    PLACES = 64

cdef struct command_t:
    uint64_t name       # in capitals, up to eight bytes
    form_t form
    void *row           # a Row that `rows` holds

cdef class FastWay:
    cdef Engine engine
    cdef list rows
    cdef command_t[PLACES] commands
    cdef reply_t reply
    cdef reply_t effect
    cdef bint ready
    cdef prepare(self)
    cdef command_t *find(self, uint64_t name) noexcept
    cdef const char *read(self, const char *p, const char *end, span_t *a, size_t *n, command_t **one,
                          long deny) noexcept
    cdef int answer(self, Session c, command_t *one, const span_t *a, size_t n, asked_t *q) except -1
    cdef bint unwatched(self, Session c) noexcept
    cdef bint begins(self, Session c, Parser parser) except -1
    cdef close_run(self, Session c, command_t *command, Py_ssize_t served, const char *begin, const char *end)
    cdef log(self, Session c, const char *begin, const char *end)
    cpdef Py_ssize_t serve(self, Session c, Parser parser) except -1
    cpdef Py_ssize_t repeat(self, Session c, Parser parser) except -1
    cpdef bytes take(self)
