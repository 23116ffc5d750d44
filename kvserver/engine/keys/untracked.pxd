# For containers that can't be part of a cycle: the collector of cycles needn't walk them.
cdef extern from "Python.h":
    void PyObject_GC_UnTrack(object container)
