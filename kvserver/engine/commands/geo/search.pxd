import cython
from cpython.array cimport array
from kvserver.engine.values.geohash cimport Measure
from kvserver.engine.values.ordering cimport Chunk, Ordering
from kvserver.engine.values.types cimport ZSetValue

cdef double _SCORES

@cython.locals(
    scores=array, i=cython.Py_ssize_t, score=double, bits=cython.ulonglong, metres=double
)
cdef _pick(list found, Chunk chunk, Py_ssize_t start, Py_ssize_t stop, Measure measure, Py_ssize_t most)
@cython.locals(
    found=list, measure=Measure, order=Ordering, first=double, behind=double, start=cython.Py_ssize_t,
    left=cython.Py_ssize_t, i=cython.Py_ssize_t, place=cython.Py_ssize_t, size=cython.Py_ssize_t, chunk=Chunk,
)
cpdef list find(ZSetValue value, object shape, Py_ssize_t most)
