"""`python -m experiments.harness`: the command line. It only makes the process fit for `main`, and calls it."""

import os
import signal
import sys

from experiments.harness import output
from experiments.harness.cli import main

# numpy's linear algebra, which nothing here uses, starts a thread that keeps a processor busy for a tenth of a second.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
output.prepare()
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler)  # as Ctrl-C: what is done is kept, status 130
sys.exit(main(sys.argv[1:]))
