"""The engine, pure: keys and values, commands, the executor, the command log.

`executor` runs a request, `keyspace` holds the keys, `table` and the `*value*` modules are what they are made of,
`commands/` has a file a group, `log` is where effects go. It knows no socket, file, clock or logger.
"""
