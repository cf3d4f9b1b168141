"""`python -m nodes.resolver`. It only calls `main`."""

import sys

from nodes.resolver.main import main

sys.exit(main(sys.argv[1:]))
