"""Commands on sorted sets: single members, ranges, combinations, waiting."""
