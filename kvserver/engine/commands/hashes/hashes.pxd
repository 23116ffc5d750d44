import cython
from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.types cimport HashValue

@cython.locals(n=Py_ssize_t, new=Py_ssize_t)
cpdef bytes hset(Session c, list a)
@cython.locals(key=bytes, value=object, fields=HashValue, n=Py_ssize_t, new=Py_ssize_t, i=Py_ssize_t)
cdef Py_ssize_t _set_fields(Db db, list a) except -1
@cython.locals(value=object, fields=HashValue, found=object)
cpdef bytes hget(Session c, list a)
@cython.locals(value=HashValue, out=list, i=Py_ssize_t)
cpdef bytes hmget(Session c, list a)
@cython.locals(value=object, fields=HashValue)
cpdef bytes hgetall(Session c, list a)
@cython.locals(
    part=dict, field=bytes, content=bytes, n=Py_ssize_t, size=Py_ssize_t, total=Py_ssize_t, out=bytes, d=cython.p_char
)
cdef bytes _pairs_reply(HashValue fields, int proto)
cdef long long _MOST
@cython.locals(db=Db, found=object, number="long long", held="long long", fields=HashValue, now=object)
cpdef bytes hincrby(Session c, list a)
