"""`python -m nodes.caddy`. It only calls `main`."""

import sys

from nodes.caddy.main import main

sys.exit(main(sys.argv[1:]))
