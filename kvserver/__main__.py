"""`python -m kvserver`."""

import sys

from kvserver.cli import main

sys.exit(main())
