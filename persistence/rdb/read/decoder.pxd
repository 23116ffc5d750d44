import cython
from persistence.rdb.read.reader cimport Reader
from persistence.rdb.read.partial cimport Part
from persistence.rdb.read.strings cimport StringFiller
from persistence.rdb.crc64 cimport Checksum

cdef class Decoder:
    cdef public object builders
    cdef public bint verify_checksum
    cdef public StringFiller filler
    cdef public int version
    cdef public bint ended
    cdef public long long empty_keys
    cdef public list salvaged, empty_names
    cdef Reader _reader
    cdef list _pieces
    cdef Py_ssize_t _have, _need
    cdef Checksum _checksum
    cdef Part _part
    cdef int _kind
    cdef bytes _key
    cdef long _db
    cdef long long _expire_ms, _idle_s
    cdef int _freq
    @cython.locals(r=Reader, done=Py_ssize_t)
    cpdef list feed(self, bytes data)
    @cython.locals(first=int, part=Part, filler=StringFiller, bare=bint)
    cdef _run(self, Reader r, list events)
    cdef _header(self, Reader r, list events)
    cdef _value(self, Reader r, int number, list events)
    cdef _finish_part(self, Part part, list events)
    cdef _emit(self, list events, int kind, bytes key, object value, object ttls)
    cdef _opcode(self, Reader r, int code, list events)
    cdef _rare_opcode(self, Reader r, int code)
    cdef _end(self, Reader r, list events)
