"""Where the keys of a database are: one table of entries, each with key, time to live and value.

`key_table.py` says what such a table does, and does it with dictionaries. Compiled, the module of that name is another
(`key_table.pyx`): it keeps entries in C memory, a third as large. Nobody outside knows what an entry looks like. The
folder refuses to know what a command is, who watches a key, and when a key has expired.
"""
