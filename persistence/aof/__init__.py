"""The append-only file: every effect, on disk, in the order it happened.

`manifest` and `records` are pure: the list of files, and the commands in them.
"""
