import cython
from kvserver.engine.keys.keyspace cimport Db

@cython.final
cdef class Session:
    cdef public object engine
    cdef public Db db
    cdef public long long id
    cdef public object port
    cdef public int resp
    cdef public int attention, context
    cdef public list out
    cdef public list queue
    cdef public bint queue_broken
    cdef public list watched
    cdef public bint cas_broken
    cdef public object blocked
    cdef public bint no_block
    cdef public object row
    cdef public list args
    cdef public dict channels, patterns, shard_channels
    cdef public int reply_mode
    cdef public bytes name, lib_name, lib_ver
    cdef public bytes user
    cdef public object acl
    cdef public str kind, address, local_address
    cdef public long long created_ms, last_ms
    cdef public int level
    cdef public long long did
    cdef public bint local, linear
    cdef public object chosen
    cdef public bint no_evict, no_touch
    cdef public object tracking, replica
    cdef public long long write_offset, bytes_in, bytes_out, multi_from
    cdef public object buffered
    cpdef send(self, bytes data)
    cdef object __weakref__
