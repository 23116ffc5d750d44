"""Commands on hashes, and on the time their fields live."""
