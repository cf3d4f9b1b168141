"""How many copies a write waits for, by EVCache's names. It does not count the source of truth: a write always waits for that.

`quorum` is what EVCache's documentation says; its code lets go after one.
"""

from __future__ import annotations

from collections.abc import Callable

POLICIES: dict[str, Callable[[int], int]] = {
    "none": lambda copies: 0,
    "one": lambda copies: min(1, copies),
    "quorum": lambda copies: copies // 2 + 1 if copies else 0,
    "all-minus-1": lambda copies: copies - 1 if copies > 2 else min(1, copies),
    "all": lambda copies: copies,
}
DEFAULT = "all-minus-1"


def needed(policy: str, copies: int) -> int:
    """How many of `copies` must have the value. Raises ValueError for an unknown policy."""
    if policy not in POLICIES:
        raise ValueError(f"'{policy}' is no write policy; choose one of {', '.join(POLICIES)}")
    return POLICIES[policy](copies)
