import cython
from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.values.ordering cimport Ordering
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.types cimport ZSetValue

cdef class Options:
    cdef public bint scores, reverse
    cdef public bytes by
    cdef public long long offset, limit

cdef long long _NOT_SMALL
@cython.locals(number="long long")
cdef object _number(bytes raw)
cdef Options _options(list a, Py_ssize_t i, Options found, tuple words)
cdef object _bounds(Options options, bytes low, bytes high)
@cython.locals(start=Py_ssize_t, stop=Py_ssize_t, count="long long")
cdef tuple _part(ZSetValue value, Options options, object places)
@cython.locals(value=ZSetValue, start=Py_ssize_t, stop=Py_ssize_t, names=list)
cdef bytes _range(Session c, list a, Options options)
cpdef bytes zrange(Session c, list a)
