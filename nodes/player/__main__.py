"""`python -m nodes.player`. It only calls `main`."""

import sys

from nodes.player.main import main

sys.exit(main(sys.argv[1:]))
