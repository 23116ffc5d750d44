"""The process around the engine: put together, started, watched over and ended."""
