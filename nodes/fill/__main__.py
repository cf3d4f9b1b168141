"""`python -m nodes.fill`. It only calls `main`."""

import sys

from nodes.fill.main import main

sys.exit(main(sys.argv[1:]))
