"""Measures this server beside a Redis server on the same machine in the same minutes: `kvops bench`."""
