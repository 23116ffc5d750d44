"""Bytes on the wire, both ways: RESP, numbers, quoted words, glob patterns. Knows no key, no command and no socket."""
