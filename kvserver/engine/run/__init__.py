"""How a request runs: the gates before it, the executor, what blocks or waits in a transaction, the log behind it.

It knows rows of the command table and no command by name, but for those that steer transactions.
"""
