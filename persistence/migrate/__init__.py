"""MIGRATE: keys that move to another server."""
