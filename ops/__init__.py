"""What an operator runs, `kvops`: local clusters, the live view, benchmarks, checks. Nothing that serves imports it."""
