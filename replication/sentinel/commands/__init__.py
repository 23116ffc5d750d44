"""What a sentinel answers: SENTINEL and its subcommands, INFO, ROLE, PUBLISH, and the rest of its small table."""
