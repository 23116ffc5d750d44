import cython
from kvserver.scripting.bridge cimport Bridge

cdef class Function:
    cdef public object fn
    cdef public Py_ssize_t number

@cython.final
cdef class Runtime:
    cdef public object lua, sandbox, run_script, run_function, debug
    cdef public Bridge bridge
    cdef public object _keep, _collect, _run_many, _compile, _load_library, _watch, _used
    cdef public long long _sandbox_bytes, limit
    cpdef Py_ssize_t used_bytes(self) except -1
    cpdef bint room(self, long long size) except -1
    @cython.locals(size="long long", arg=bytes)
    cpdef object run(self, Function function, int proto, Py_ssize_t keys, list args, bint is_function)
    cdef _prepare(self, long long size)
