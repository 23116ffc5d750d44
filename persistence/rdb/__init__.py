"""The RDB format: what Redis writes to `dump.rdb`, sends to a replica and answers to DUMP.

Everything in here is pure: bytes in, values out, and back. `decoder` reads a stream fed in pieces of any
size, `encoder` writes single records, `payload` wraps one value the way DUMP and RESTORE do, `check` judges
a file.
"""
