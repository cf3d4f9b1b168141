"""How late this machine's timers end, by trying. It judges nothing."""

from __future__ import annotations

import time


def sleeps_late_s(sleeps: int = 20, sleep_s: float = 500e-6) -> list[float]:
    """By how much each of so many sleeps ended late, in seconds, ascending."""
    late = []
    for _ in range(sleeps):
        before_s = time.monotonic()
        time.sleep(sleep_s)
        late.append(time.monotonic() - before_s - sleep_s)
    return sorted(late)
