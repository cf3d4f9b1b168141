"""`python -m nodes.page`. It only calls `main`."""

import sys

from nodes.page.main import main

sys.exit(main(sys.argv[1:]))
