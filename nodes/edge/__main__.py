"""`python -m nodes.edge`. It only calls `main`."""

import sys

from nodes.edge.main import main

sys.exit(main(sys.argv[1:]))
