import cython

@cython.final
cdef class Limits:
    cdef public Py_ssize_t hash_entries, hash_value, set_intset, zset_entries, zset_value, list_size
    cdef public Py_ssize_t hll_sparse, stream_bytes, stream_entries, max_string
    cdef public bint giants
