import cython
from kvserver.engine.keys.table cimport Table

@cython.locals(found=dict, value=Table, part=dict, weight=double)
cpdef dict _union(object request)
cdef double _weigh(double score, double weight) noexcept
