"""`python -m nodes.edge_reporter`. It only calls `main`."""

import sys

from nodes.edge_reporter.main import main

sys.exit(main(sys.argv[1:]))
