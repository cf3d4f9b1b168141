"""`python -m nodes.memcached`. It only calls `main`."""

import sys

from nodes.memcached.main import main

sys.exit(main(sys.argv[1:]))
