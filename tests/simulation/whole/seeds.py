"""Seeds that found something once: they come first whenever stories are run by chance, and stay here for ever.

What a seed's story is changes with the simulation; these meet nasty orders more often than others all the same.
"""

from __future__ import annotations

ALWAYS: dict[bool | None, tuple[int, ...]] = {
    None: (0, 41, 2007, 2010, 2011, 2013, 2014, 100022, 100062, 100066, 100099),
    False: (330029,),
    True: (0, 1, 13, 2008, 3012, 3024, 300038, 300102, 300104, 300242, 310000, 310026),
}
"""By what was wished: a quorum, or what the seed wants."""
