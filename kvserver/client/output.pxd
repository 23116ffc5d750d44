import cython

@cython.final
cdef class Output:
    cdef public int state
    cdef public bint direct, full, ended, gated, stalled
    cdef public Py_ssize_t held, held_bytes, posted_bytes
    cdef public double soft_since_s
    cdef object _outbox
    cdef list _posted
    @cython.locals(state=int)
    cpdef int _step(self, int event) except -1
    cpdef int post(self, bytes data) except -1
    cpdef bint posts(self) except -1
    cpdef bytes take_posted(self)
    cpdef int send(self, bytes data, bint safe, bint patient) except -1
    cpdef int released(self, bytes data) except -1
    cpdef int fail(self) except -1
    cdef _gather(self, bytes data)
    cpdef take(self)
    cpdef int no_room(self) except -1
    cpdef int room(self) except -1
    cpdef int stall(self) except -1
    cpdef int relax(self) except -1
    cpdef int end(self) except -1
    cpdef int drop(self) except -1
