"""Looking at a running node: slow requests, latency, MONITOR, memory, the process."""
