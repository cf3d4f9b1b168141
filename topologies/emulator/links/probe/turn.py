"""Labs of one installation measure their links in turn: two that fill queues at once would measure each other.

It holds up no trial and no lab that runs; what other programs do to the machine it cannot know.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn() -> Iterator[None]:
    """Wait until no other lab measures, and keep others waiting meanwhile; the kernel ends a turn with its process."""
    # A file that everybody may read and that a sandbox sees as well as its neighbour does: this one.
    with Path(__file__).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
