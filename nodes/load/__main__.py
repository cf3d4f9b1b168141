"""`python -m nodes.load`. It only calls `main`."""

import sys

from nodes.load.main import main

sys.exit(main(sys.argv[1:]))
