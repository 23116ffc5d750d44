from kvserver.engine.values.types cimport ZSetValue

cdef class ZSetFiller:
    cdef public ZSetValue value
    cdef public list runs
    cdef public tuple last
    cdef public bint descending
    cpdef bint put(self, bytes member, object score) except -1
