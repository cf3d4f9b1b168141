"""A worker: orders by lines on stdin, a result for each by a line on stdout, until stdin ends. It carries none out itself."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any


def work(answer: Callable[[str], Mapping[str, Any]]) -> int:
    """0 when there are no more orders. An order that cannot be read is `answer`'s to answer too, with its reason."""
    # The signal itself ends it: a handler would wait for libcurl, and there is nothing to finish.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in iter(sys.stdin.readline, ""):
        if line.strip():
            print(json.dumps(answer(line)), flush=True)
    return 0
