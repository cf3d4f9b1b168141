"""`python -m nodes.nginx_edge`. It only calls `main`."""

import sys

from nodes.nginx_edge.main import main

sys.exit(main(sys.argv[1:]))
