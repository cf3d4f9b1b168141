"""`python -m nodes.origin`. It only calls `main`."""

import sys

from nodes.origin.main import main

sys.exit(main(sys.argv[1:]))
