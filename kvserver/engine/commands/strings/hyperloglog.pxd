import cython
from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.run.session cimport Session

@cython.locals(
    db=Db, value=object, raw=bytearray, updated=Py_ssize_t, sparse_max=Py_ssize_t, n=Py_ssize_t, i=Py_ssize_t
)
cpdef bytes pfadd(Session c, list a)
