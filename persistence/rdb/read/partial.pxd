from persistence.rdb.read.reader cimport Reader

cdef class Part:
    cdef public object left
    cdef public object value
    cpdef step(self, Reader r)

cdef class ListPart(Part):
    cpdef step(self, Reader r)

cdef class SetPart(Part):
    cpdef step(self, Reader r)

cdef class HashPart(Part):
    cpdef step(self, Reader r)

cdef class ZsetPart(Part):
    cpdef step(self, Reader r)

cdef _put_score(Reader r, object value, bytes member, double score)
