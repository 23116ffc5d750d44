"""Appending to the append-only file, and having the disk hold it."""
