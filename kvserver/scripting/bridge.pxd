import cython
from kvserver.scripting.lua_c cimport Lua

cdef Lua lua
cdef int _STATUS, _ERROR, _MEMORY, _UNUSABLE
cdef long long _margin
cdef double _EXACT

cpdef bytes number_text(double number)

cdef class Commands:
    cpdef bytes perform(self, list request)

@cython.final
cdef class Bridge:
    cdef public Commands commands
    cdef public object failure, call, bind
    cdef public long long limit
    cdef void* state
    cdef int entry, functions
    @cython.locals(top=int, status=int, n=int, i=Py_ssize_t, arg=bytes, size=cython.size_t, text=cython.p_const_char)
    cpdef object run(self, Py_ssize_t number, int proto, Py_ssize_t keys, list args, bint is_function)
    @cython.locals(kind=int, size=cython.size_t, text=cython.p_const_char, number=double)
    cdef object value_at(self, void* state, int place)
    @cython.locals(n=int, i=int, kind=int, size=cython.size_t, text=cython.p_const_char, request=list, reply=bytes)
    cdef int serve(self, void* state) except -1
    @cython.locals(size=Py_ssize_t, kind=int, p=Py_ssize_t, s=cython.p_const_char, number="long long")
    cdef int hand_over(self, void* state, bytes reply) except -1
    cdef int special(self, void* state, int kind, bytes text) except -1
    @cython.locals(kilobytes="long long")
    cpdef long long used_bytes(self)
    @cython.locals(used="long long", fits=bint)
    cdef bint room(self, void* state, long long size) noexcept
    @cython.locals(i=int)
    cdef int push(self, void* state, object value) except -1

cdef public int understudy_lua_bridge(void* state) noexcept nogil
cdef int on_call(void* state) noexcept nogil
cdef int on_bind(void* state) noexcept nogil
cdef int opened(void* state) noexcept with gil
@cython.locals(bridge=Bridge)
cdef int served(void* state) noexcept with gil
@cython.locals(bridge=Bridge)
cdef int bound(void* state) noexcept with gil
cdef Bridge _opening
