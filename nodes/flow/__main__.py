"""`python -m nodes.flow`. It only calls `main`."""

import sys

from nodes.flow.main import main

sys.exit(main(sys.argv[1:]))
