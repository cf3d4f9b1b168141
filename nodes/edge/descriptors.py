"""How many files a worker may hold open for prepared answers, beside its connections. It opens none."""

from __future__ import annotations

import resource

MOST_FILES = 1024
SHARE = 4
"""One descriptor in so many at most: the others are for clients, origins and files on their way in."""


def files_to_hold() -> int:
    """Raises the process's own limit as far as it may, and gives the share of it that prepared answers have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard // SHARE)
