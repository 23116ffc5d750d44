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
@cython.locals(word=bytes)
cdef Options _options(list a, Py_ssize_t i, Options found, tuple words)
cdef class Bounds:
    cdef public int kind
    cdef public bint reverse
    cdef public object first, last
    cdef public double lower, upper
    cdef public object lower_name, upper_name
    cdef public Py_ssize_t start, stop
    @cython.locals(order=Ordering, size=Py_ssize_t)
    cpdef find(self, ZSetValue value)

cdef int _RANK, _SCORE, _LEX
@cython.locals(bounds=Bounds)
cpdef Bounds by_rank(bytes low, bytes high, bint reverse=*)
@cython.locals(bounds=Bounds)
cpdef Bounds by_score(bytes low, bytes high)
@cython.locals(digits="long long")
cdef double _score(bytes raw) except? -1.0
@cython.locals(bounds=Bounds)
cpdef Bounds by_lex(bytes low, bytes high, bint reverse=*)
cdef Bounds _bounds(Options options, bytes low, bytes high)
@cython.locals(count="long long")
cdef _cut(Options options, Bounds bounds)
@cython.locals(found=list)
cdef list _select(ZSetValue value, Options options, Bounds bounds)
@cython.locals(value=ZSetValue, names=list, bounds=Bounds)
cdef bytes _range(Session c, list a, Options options)
cpdef bytes zrange(Session c, list a)
