import cython
from kvserver.engine.run.session cimport Session
from kvserver.scripting.host cimport Host, Script

@cython.locals(host=Host, script=Script, keys=Py_ssize_t)
cdef bytes _evalsha(Session c, list a, bint read_only)
cdef bytes _run(Host host, Session c, Script script, Py_ssize_t keys, bint read_only)
cpdef bytes evalsha(Session c, list a)
cpdef bytes evalsha_ro(Session c, list a)
