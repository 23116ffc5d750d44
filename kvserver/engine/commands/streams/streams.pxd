import cython
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.stream_value cimport StreamValue

cdef long long _NOT_SMALL
cdef long long _NODES_AT_ONCE

@cython.locals(number="long long")
cdef long long _count(bytes raw) except? -1

cdef class Trim:
    cdef public bytes by
    cdef public bint about, make, limited
    cdef public long long limit, most
    cdef public tuple lowest
    cdef public Py_ssize_t place
    @cython.locals(i=Py_ssize_t, word=bytes, more=bint)
    cpdef Py_ssize_t read(self, Session c, list a, bint adding) except -1
    cdef Py_ssize_t _threshold(self, list a, Py_ssize_t i, bytes word) except -1
    @cython.locals(most="long long")
    cpdef check(self, Session c, bint adding)
    @cython.locals(gone=Py_ssize_t)
    cpdef Py_ssize_t apply(self, StreamValue value, State state) except -1
    cpdef exact(self, list line, StreamValue value)

cpdef bytes id_reply(tuple entry)
@cython.locals(options=Trim, place=Py_ssize_t, given=tuple, counted=bint)
cpdef bytes xadd(Session c, list a)
@cython.locals(
    db=Db, state=State, key=bytes, value=object, fresh=bint, stream=StreamValue, entry=tuple, flat=list, text=bytes
)
cdef bytes _append(Session c, list a, Py_ssize_t place, Trim options, tuple given, bint counted)
@cython.locals(last=tuple)
cdef tuple _new_id(StreamValue value, tuple given, bint counted, long long now_ms)
@cython.locals(number="long long")
cdef object _unsigned(bytes raw)
@cython.locals(
    names=list, size=Py_ssize_t, total=Py_ssize_t, i=Py_ssize_t, name=bytes, flat=list, out=bytes, d=cython.p_char
)
cpdef bytes entries_reply(list entries)
@cython.locals(count="long long", i=Py_ssize_t)
cdef bytes _range(Session c, list a, tuple start, bytes upper, bint reverse)
cpdef bytes entry_reply(tuple entry, list flat)
