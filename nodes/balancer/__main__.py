"""`python -m nodes.balancer`. It only calls `main`."""

import sys

from nodes.balancer.main import main

sys.exit(main(sys.argv[1:]))
