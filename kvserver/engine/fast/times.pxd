from kvserver.engine.fast.asking cimport form_t

cdef form_t time_form(bytes name)
