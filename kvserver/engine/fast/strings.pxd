from kvserver.engine.fast.asking cimport form_t

cdef form_t string_form(bytes name)
