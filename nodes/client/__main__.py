"""`python -m nodes.client`. It only calls `main`."""

import sys

from nodes.client.main import main

sys.exit(main(sys.argv[1:]))
