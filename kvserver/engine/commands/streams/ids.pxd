import cython

cdef long long _NOT_SMALL

@cython.locals(number="long long")
cpdef long long count_of(bytes raw) except? -1
@cython.locals(number="long long")
cpdef object unsigned(bytes raw)
@cython.locals(ms=bytes, dash=bytes, sequence=bytes)
cpdef tuple parse_id(bytes raw, object missing=*, bint strict=*)
cpdef tuple parse_bound(bytes raw, bint upper)
