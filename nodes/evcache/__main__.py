"""`python -m nodes.evcache`. It only calls `main`."""

import sys

from nodes.evcache.main import main

sys.exit(main(sys.argv[1:]))
