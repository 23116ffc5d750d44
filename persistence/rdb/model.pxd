cdef class Key:
    cdef public long db
    cdef public bytes key
    cdef public int kind
    cdef public object value
    cdef public long long expire_ms
    cdef public long long idle_s
    cdef public int freq
    cdef public dict field_ttls
