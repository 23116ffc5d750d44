"""Point-in-time snapshots without a fork: taken, saved, loaded, and when a save is due."""
