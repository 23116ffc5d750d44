"""A sentinel's options: read from its file, changed by SENTINEL SET, written back."""
