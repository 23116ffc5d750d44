import cython
from kvserver.engine.command_table.row cimport Row

@cython.locals(row=Row, n=Py_ssize_t)
cpdef Row find(dict rows, list args)
@cython.locals(row=Row)
cpdef Row resolve(dict rows, list args)
