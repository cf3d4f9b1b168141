"""`python -m nodes.bird`. It only calls `main`."""

import sys

from nodes.bird.main import main

sys.exit(main(sys.argv[1:]))
