import cython

cdef bytes _SHORT_SPANS
cdef Py_ssize_t _FIRST, _NEAR
cdef unsigned long long _SEED, _MULTIPLIER, _MASK, _INDEX, _TOP
cdef int _INDEX_BITS

@cython.locals(
    size=cython.Py_ssize_t, whole=cython.Py_ssize_t, i=cython.Py_ssize_t, h=cython.ulonglong, k=cython.ulonglong,
)
cpdef unsigned long long murmur64a(bytes data) except? 7
@cython.locals(value=cython.ulonglong)
cdef unsigned long long _word(bytes data, Py_ssize_t start, Py_ssize_t stop) except? 7
@cython.locals(rest=cython.ulonglong, number=int)
cdef int _number_of(unsigned long long h) noexcept
@cython.locals(h=cython.ulonglong)
cpdef bint add(bytearray raw, bytes element, Py_ssize_t sparse_max, object marks=*) except -1
cpdef bint raise_register(
    bytearray raw, Py_ssize_t index, int number, Py_ssize_t sparse_max, object marks=*
) except -1
@cython.locals(at=cython.Py_ssize_t, shift=int, window=int, old=int, split=bint)
cdef bint _raise_dense(bytearray raw, Py_ssize_t index, int number) except -1
cpdef bint is_valid(object raw) except -1
cpdef invalidate(bytearray raw)
@cython.locals(
    at=cython.Py_ssize_t, first=cython.Py_ssize_t, previous=cython.Py_ssize_t, begin=cython.Py_ssize_t,
    end=cython.Py_ssize_t, count=cython.Py_ssize_t, size=cython.Py_ssize_t, middle=cython.Py_ssize_t,
    middle_first=cython.Py_ssize_t, text=cython.p_uchar, spans=cython.p_const_uchar,
)
cpdef tuple _find_run(bytearray raw, Py_ssize_t index, object marks)
@cython.locals(first=int)
cpdef tuple run_at(object raw, Py_ssize_t at)
@cython.locals(
    at=cython.Py_ssize_t, first=cython.Py_ssize_t, previous=cython.Py_ssize_t, size=cython.Py_ssize_t,
    count=cython.Py_ssize_t, old=int, end=cython.Py_ssize_t, behind=cython.Py_ssize_t, new=bytes,
)
cdef object _raise_sparse(bytearray raw, Py_ssize_t index, int number, Py_ssize_t sparse_max, object marks)
cdef bytes _zeros(Py_ssize_t count)
cdef bytes _value(int number, Py_ssize_t count)
@cython.locals(first=int, count=int)
cdef _join(bytearray raw, Py_ssize_t at)
