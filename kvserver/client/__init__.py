"""A client's connection: sockets, TLS, what may wait for a slow peer, what a client may cost.

It knows sessions and requests, and no command by name.
"""
