"""Waiting exactly, and when the next bytes of a paced body are due.

It does not send. `due_s` is a pure function of what was sent; `sleep_until` is the one place that waits.
"""

from __future__ import annotations

import asyncio

_COARSE_S = 0.0012
"""epoll rounds a timeout up to whole milliseconds; the last one is waited for in turns of the loop."""


def due_s(sent_bytes: int, rate_bps: int) -> float:
    """Seconds after the first byte at which the byte after `sent_bytes` may leave."""
    return sent_bytes * 8 / rate_bps


def step_bytes(rate_bps: int) -> int:
    """How much to send at a time: 5 ms worth, at least 1 KiB and at most 256 KiB."""
    return max(1024, min(256 * 1024, rate_bps // 8 // 200))


async def sleep_until(deadline_s: float) -> None:
    """Wait until the loop's clock shows `deadline_s`: at most some tens of microseconds late on an idle machine."""
    loop = asyncio.get_running_loop()
    remaining = deadline_s - loop.time()
    if remaining > _COARSE_S:
        await asyncio.sleep(remaining - _COARSE_S)
    while loop.time() < deadline_s:
        await asyncio.sleep(0)
