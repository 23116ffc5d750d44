"""What a sentinel knows and decides, pure: `monitor.step(event, now_ms)` returns what to do."""
