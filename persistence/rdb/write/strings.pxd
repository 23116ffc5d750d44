from kvserver.engine.store.key_table cimport KeyTable

cpdef tuple encode_part(KeyTable keys, size_t number, bint compress)
