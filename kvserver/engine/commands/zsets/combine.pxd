import cython
from kvserver.engine.keys.table cimport Table

cdef double _total(double one, double other) noexcept
@cython.locals(last=double, score=double, pair=tuple)
cdef bint _tied(list pairs) except -1
@cython.locals(members=list, pairs=list)
cdef list _ordered(dict found, bint to_store)
@cython.locals(found=dict, value=Table, part=dict, weight=double, adds=bint)
cpdef dict _union(object request)
cdef double _weigh(double score, double weight) noexcept
