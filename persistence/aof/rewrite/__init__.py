"""Rewriting the append-only file: a new base from a snapshot."""
