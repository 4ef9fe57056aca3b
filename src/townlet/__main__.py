"""`python -m townlet`: the same as `townlet`."""

import sys

from townlet.commands.cli import main

sys.exit(main())
