import cython

cpdef bytes length(object n)
@cython.locals(size=Py_ssize_t, number=bytes, packed=bytes)
cpdef bytes string(bytes raw, bint compress=*)
@cython.locals(body=bytes, number="long long", size=Py_ssize_t)
cpdef bytes integer_string(bytes raw)
cpdef bytes string_key(bytes key, bytes value, bint compress)
