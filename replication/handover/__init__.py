"""FAILOVER: a primary hands over to one of its replicas, on purpose. `role` acts on it."""
