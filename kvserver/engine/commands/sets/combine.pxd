import cython
from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.types cimport SetValue

@cython.locals(found=list, known=list, others=list, first=SetValue, value=SetValue, part=dict, member=bytes)
cdef list _common(list sets, Py_ssize_t most)
@cython.locals(found=dict, value=SetValue, part=dict)
cdef dict _union(list sets)
@cython.locals(found=list, others=list, first=SetValue, value=SetValue, part=dict, member=bytes)
cdef list _diff(list sets)
@cython.locals(result=SetValue, member=bytes)
cdef SetValue _gather(list members, object limits)
cdef list _read(Db db, list keys)
@cython.locals(reply=bytes)
cdef bytes _reply(list members, int proto)
cdef bytes _store(Session c, bytes target, list members, bytes event)
@cython.locals(sets=list, found=dict)
cpdef bytes sunion(Session c, list a)
cpdef bytes sinter(Session c, list a)
cpdef bytes sdiff(Session c, list a)
