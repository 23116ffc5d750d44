"""A whole cluster on this machine: `kvops up`."""
