"""How the time of a pure function grows with its input: a check that holds on a slow machine and on a busy one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def growth(make: Callable[[int], T], use: Callable[[T], object], small: int) -> float:
    """How many times longer eight times the input takes: about 8 where the time is linear, 64 where it is quadratic."""
    return _shortest_s(use, make(8 * small)) / _shortest_s(use, make(small))


def _shortest_s(use: Callable[[T], object], given: T) -> float:
    """Of several runs of the processor's time: what else runs here can only make one longer."""
    found = []
    for _ in range(7):
        before = time.thread_time()
        use(given)
        found.append(time.thread_time() - before)
    return max(min(found), 1e-5)
