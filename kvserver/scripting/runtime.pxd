import cython

@cython.final
cdef class Runtime:
    cdef public object lua, sandbox, run_script, run_function, debug
    cdef public object _collect, _run_many, _compile, _load_library, _watch, _used
    cdef public long long _sandbox_bytes, limit
    cpdef Py_ssize_t used_bytes(self) except -1
    cpdef bint room(self, long long size) except -1
    @cython.locals(size="long long", arg=bytes)
    cpdef object run(self, object fn, int proto, Py_ssize_t keys, list args, bint is_function)
    cdef _prepare(self, long long size)
