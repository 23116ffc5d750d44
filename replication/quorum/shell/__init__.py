"""What puts a quorum node to work: its identity's file, its links, its clients, its commands.

`voting` performs what `replication.quorum.node` says; `clients` has replies wait and be given up; the gates say what
is refused; nothing here decides what is safe.
"""
