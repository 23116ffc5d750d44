"""Commands on strings: as text, as bits, as integers, as HyperLogLogs."""
