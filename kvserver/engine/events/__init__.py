"""Who is told when something happens: channels, keyspace notifications, client-side caches."""
