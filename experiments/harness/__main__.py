"""`python -m experiments.harness`: the command line. It only calls `main`."""

import sys

from experiments.harness.cli import main

sys.exit(main(sys.argv[1:]))
