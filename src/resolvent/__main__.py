"""`python -m resolvent` is the command `resolvent`."""

import sys

from resolvent.cli import main

sys.exit(main())
