import cython
from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.types cimport ZSetValue

@cython.locals(number=cython.longlong)
cpdef bytes zadd(Session c, list a)
cdef int _SAME, _NEW
@cython.locals(value=object, scores=ZSetValue, done=int)
cdef bytes _add_one(Db db, bytes key, object score, bytes member)
@cython.locals(value=ZSetValue, score=object)
cpdef bytes zrank(Session c, list a)
@cython.locals(value=ZSetValue, score=object)
cpdef bytes zrevrank(Session c, list a)
@cython.locals(value=object, n=Py_ssize_t, found=list)
cdef bytes _pop(Session c, list a, bint lowest)
cpdef tuple take_one(Db db, bytes key, ZSetValue value, bint lowest)
@cython.locals(size=Py_ssize_t, found=list)
cpdef list take(Db db, bytes key, ZSetValue value, bint lowest, object count)
