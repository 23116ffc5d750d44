"""What each command is, apart from the code that runs it: its row, its flags, which arguments are keys, its name."""
