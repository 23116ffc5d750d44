"""Commands about the connection that sends them: who it is, its transaction, its channels."""
