from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.values.list_value cimport ListValue
from kvserver.engine.values.types cimport HashValue, SetValue, ZSetValue

cpdef ListValue as_list(object value)
cpdef HashValue as_hash(object value)
cpdef SetValue as_set(object value)
cpdef ZSetValue as_zset(object value)
cpdef emptied(Db db, bytes key)
cpdef removed(Db db, bytes key, object value, long event_class, bytes event, Py_ssize_t n)
cpdef removed_all(Db db, bytes key, object value, long event_class, bytes event)
cpdef Py_ssize_t stored(Db db, bytes target, object value, long event_class, bytes event) except -1
