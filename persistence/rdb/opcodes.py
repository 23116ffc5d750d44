"""Numbers of the RDB format, as in Redis's `rdb.h`."""

from __future__ import annotations

# Written: what Redis 7.0 writes and reads, unless a hash has fields that expire: those are Redis 7.4's, and read
# by no earlier one. Read: up to Redis 7.4.
WRITE_VERSION = 10
WRITE_VERSION_EXPIRING_FIELDS = 12
READ_VERSION = 12

# The latest time in ms since the epoch that a hash field's expiry may be: 48 bits.
LATEST_MS = (1 << 48) - 1

# The checksum exists since version 5.
CHECKSUM_SINCE = 5

OP_SLOT_INFO = 244
OP_FUNCTION2 = 245
OP_FUNCTION_PRE_GA = 246
OP_MODULE_AUX = 247
OP_IDLE = 248
OP_FREQ = 249
OP_AUX = 250
OP_RESIZEDB = 251
OP_EXPIRETIME_MS = 252
OP_EXPIRETIME = 253
OP_SELECTDB = 254
OP_EOF = 255

TYPE_STRING = 0
TYPE_LIST = 1
TYPE_SET = 2
TYPE_ZSET = 3
TYPE_HASH = 4
TYPE_ZSET_2 = 5
TYPE_MODULE = 6
TYPE_MODULE_2 = 7
TYPE_HASH_ZIPMAP = 9
TYPE_LIST_ZIPLIST = 10
TYPE_SET_INTSET = 11
TYPE_ZSET_ZIPLIST = 12
TYPE_HASH_ZIPLIST = 13
TYPE_LIST_QUICKLIST = 14
TYPE_STREAM_LISTPACKS = 15
TYPE_HASH_LISTPACK = 16
TYPE_ZSET_LISTPACK = 17
TYPE_LIST_QUICKLIST_2 = 18
TYPE_STREAM_LISTPACKS_2 = 19
TYPE_SET_LISTPACK = 20
TYPE_STREAM_LISTPACKS_3 = 21
TYPE_HASH_METADATA = 24
TYPE_HASH_LISTPACK_EX = 25

TYPES_EXPIRING_FIELDS = (TYPE_HASH_METADATA, TYPE_HASH_LISTPACK_EX)

# Special string encodings, announced by a length byte of the form 11xxxxxx.
ENC_INT8 = 0
ENC_INT16 = 1
ENC_INT32 = 2
ENC_LZF = 3

# Containers of quicklist nodes.
NODE_PLAIN = 1
NODE_PACKED = 2

# What a module writes of itself: each item is announced by one of these.
MODULE_EOF = 0
MODULE_SINT = 1
MODULE_UINT = 2
MODULE_FLOAT = 3
MODULE_DOUBLE = 4
MODULE_STRING = 5
