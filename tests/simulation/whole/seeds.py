"""Seeds that found something once: they come first whenever stories are run by chance."""

ALWAYS: tuple[int, ...] = (41,)
