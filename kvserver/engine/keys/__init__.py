"""Keys: the tables that hold them, how they expire, are evicted and freed. It doesn't know what a value holds."""
