"""Access control: which user may run which commands on which keys and channels (Redis's ACL)."""
