"""What a process tells Prometheus: catalogues of rows, what they read, and how the text is made."""
