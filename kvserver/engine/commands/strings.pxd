import cython
from kvserver.engine.keyspace cimport Db, State
from kvserver.engine.session cimport Session

@cython.locals(c=Session, a=list)
cpdef bytes get(c, a)
cdef bytes _add(Session c, bytes key, object step)
@cython.locals(n=Py_ssize_t, i=Py_ssize_t, v=cython.longlong, d=int, negative=bint)
cpdef long long small_int(bytes raw)
@cython.locals(db=Db, i=Py_ssize_t)
cdef _set_pairs(Db db, list a)
