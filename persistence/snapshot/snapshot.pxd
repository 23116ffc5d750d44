import cython
from kvserver.engine.store.key_table cimport KeyTable
from persistence.rdb.crc64 cimport Checksum

cdef class Walk:
    cdef public int index
    cdef public KeyTable keys
    cdef public Py_ssize_t size, volatile
    cdef public long long position
    cdef public dict todo
    cdef public set noted
    cdef public object early, access
    cpdef Py_ssize_t keep(self, bytes key) except -1
    cpdef long long expiry(self, bytes key) except? -2
    cpdef bytes prefix(self, bytes key, long long expire_ms)
    cpdef Py_ssize_t whole_part(self) except -2
    @cython.locals(number=Py_ssize_t, part=dict)
    cpdef bint list_part(self) except -1

cdef class Snapshot:
    cdef public long long offset, keys, total, kept_bytes
    cdef public bint finished
    cdef object _state, _clock
    cdef public object _pieces, _live
    cdef object _emptied, _held, _dbs, _coming
    cdef public list _head
    cdef bint _compress
    cdef Checksum _checksum
    cdef dict _walks
    cdef Walk _walk
    @cython.locals(walk=Walk)
    cpdef before_write(self, object db, bytes key)
    @cython.locals(deadline=double, size=Py_ssize_t, counted=Py_ssize_t, out=list)
    cpdef next_chunk(self, double budget_s=*, Py_ssize_t max_bytes=*)
    @cython.locals(walk=Walk)
    cdef bint _step(self, list out) except -1
    cdef bint _next_walk(self, list out) except -1
    @cython.locals(todo=dict, expire_ms="long long", work=Py_ssize_t)
    cpdef _encode_batch(self, list out, Walk walk)
    cpdef bint _list_part(self, list out, Walk walk) except -1
    @cython.locals(walk=Walk)
    cpdef _save(self, list out, bytes key, object value, long long expire_ms)
    cpdef _begin_db(self, list out, Walk walk)
    cpdef _finish(self, list out)
