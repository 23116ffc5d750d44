"""Loading and checking the append-only file."""
