import cython
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.stream_value cimport StreamValue

cpdef bytes id_reply(tuple entry)
cpdef bytes xadd(Session c, list a)
@cython.locals(
    db=Db, state=State, key=bytes, value=object, fresh=bint, stream=StreamValue, entry=tuple, flat=list, text=bytes
)
cdef bytes _append(Session c, list a, Py_ssize_t place, object options, tuple given, bint counted)
@cython.locals(last=tuple)
cdef tuple _new_id(StreamValue value, tuple given, bint counted, long long now_ms)
cpdef bytes entry_reply(tuple entry, list flat)
