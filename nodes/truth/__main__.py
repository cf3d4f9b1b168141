"""`python -m nodes.truth`. It only calls `main`."""

import sys

from nodes.truth.main import main

sys.exit(main(sys.argv[1:]))
