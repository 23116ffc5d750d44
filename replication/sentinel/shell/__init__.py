"""The outside of a sentinel: sockets, the state file, scripts, metrics, the process. It decides nothing."""
