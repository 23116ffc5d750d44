"""RDB read: bytes become events and values, in whatever pieces they come."""
