"""`python -m nodes.evcache_client`. It only calls `main`."""

import sys

from nodes.evcache_client.main import main

sys.exit(main(sys.argv[1:]))
