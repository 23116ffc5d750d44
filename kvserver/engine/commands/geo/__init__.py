"""Commands on places, which are members of sorted sets."""
