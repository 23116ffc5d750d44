"""Commands that tell what the server can do: COMMAND, CLUSTER."""
