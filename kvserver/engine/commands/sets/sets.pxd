import cython
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.types cimport SetValue

@cython.locals(db=Db, key=bytes, value=object, members=SetValue, new=Py_ssize_t, i=Py_ssize_t)
cpdef bytes sadd(Session c, list a)
@cython.locals(value=SetValue, gone=Py_ssize_t, i=Py_ssize_t)
cpdef bytes srem(Session c, list a)
@cython.locals(db=Db, key=bytes, value=object, members=SetValue, member=bytes)
cpdef bytes spop(Session c, list a)
cpdef bytes members_reply(SetValue value, int proto)
@cython.locals(part=dict, member=bytes, total=Py_ssize_t, size=Py_ssize_t, out=bytes, d=cython.p_char)
cpdef bytes keys_reply(list parts, Py_ssize_t n, int proto)
