import cython
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.run.session cimport Session

cpdef bytes get(Session c, list a)
@cython.locals(db=Db)
cpdef bytes set_(Session c, list a)
cpdef bytes incr(Session c, list a)
@cython.locals(out=list, db=Db, i=Py_ssize_t)
cpdef bytes mget(Session c, list a)
cpdef bytes mset(Session c, list a)
@cython.locals(db=Db, value=object, number=cython.longlong, reply=bytes)
cdef bytes _add(Session c, bytes key, long long step)
cdef long _event
cdef long long STEP_MAX
cdef long long NOT_SMALL
@cython.locals(n=Py_ssize_t, i=Py_ssize_t, v=cython.longlong, d=int, negative=bint)
cpdef long long small_int(bytes raw)
@cython.locals(db=Db, i=Py_ssize_t)
cdef _set_pairs(Db db, list a)
