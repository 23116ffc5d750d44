import cython
from cpython.array cimport array
from kvserver.engine.values.geohash cimport Measure
from kvserver.engine.values.ordering cimport Chunk

cdef double _SCORES

@cython.locals(
    scores=array, i=cython.Py_ssize_t, score=double, bits=cython.ulonglong, metres=double
)
cdef _pick(list found, Chunk chunk, Measure measure, Py_ssize_t most)
