import cython
from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.list_value cimport ListValue

cpdef bytes lpush(Session c, list a)
cpdef bytes rpush(Session c, list a)
@cython.locals(value=object, elements=ListValue, n=Py_ssize_t, i=Py_ssize_t, key=bytes)
cdef bytes _push(Db db, list a, bint head, bint create)
cpdef bytes lpop(Session c, list a)
cpdef bytes rpop(Session c, list a)
@cython.locals(db=Db, value=object, elements=ListValue, element=bytes)
cdef bytes _pop(Session c, bytes key, bint head)
cpdef bytes lrange(Session c, list a)
cpdef bytes lmove(Session c, list a)
cpdef bytes rpoplpush(Session c, list a)
@cython.locals(origin=ListValue, goal=ListValue, element=bytes)
cpdef bytes move(Db db, bytes source, bytes target, bint from_head, bint to_head)
