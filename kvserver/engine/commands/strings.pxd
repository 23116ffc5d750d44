from kvserver.engine.keyspace cimport Db, State
from kvserver.engine.session cimport Session

cdef bytes _add(Session c, bytes key, long long step)
cpdef long long small_int(bytes raw)
