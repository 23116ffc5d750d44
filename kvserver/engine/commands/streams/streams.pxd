import cython
from kvserver.engine.commands.streams.trimming cimport Trim
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.stream_value cimport StreamValue

cpdef bytes id_reply(tuple entry)
@cython.locals(options=Trim, place=Py_ssize_t, given=tuple, counted=bint)
cpdef bytes xadd(Session c, list a)
@cython.locals(
    db=Db, state=State, key=bytes, value=object, fresh=bint, stream=StreamValue, entry=tuple, flat=list, text=bytes
)
cdef bytes _append(Session c, list a, Py_ssize_t place, Trim options, tuple given, bint counted)
@cython.locals(last=tuple)
cdef tuple _new_id(StreamValue value, tuple given, bint counted, long long now_ms)
@cython.locals(
    names=list, size=Py_ssize_t, total=Py_ssize_t, i=Py_ssize_t, name=bytes, flat=list, out=bytes, d=cython.p_char
)
cpdef bytes entries_reply(list entries)
@cython.locals(count="long long", i=Py_ssize_t)
cdef bytes _range(Session c, list a, tuple start, bytes upper, bint reverse)
cpdef bytes entry_reply(tuple entry, list flat)
