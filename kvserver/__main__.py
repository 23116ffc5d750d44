"""`python -m kvserver`, and the programs that an installation makes of this package."""

import gc
import sys


def main() -> int:
    """Run `kvserver`."""
    # What is made while the program is loaded stays: looking for garbage in it took a sixth of a start's time.
    gc.disable()
    from kvserver.cli import main as run

    return run()


def sentinel_main() -> int:
    """Run `kvsentinel`."""
    gc.disable()
    from kvserver.cli import sentinel_main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
