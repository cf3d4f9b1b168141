"""`python -m nodes.steering`. It only calls `main`."""

import sys

from nodes.steering.main import main

sys.exit(main(sys.argv[1:]))
