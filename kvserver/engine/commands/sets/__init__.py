"""Commands on sets: one at a time, and several combined."""
