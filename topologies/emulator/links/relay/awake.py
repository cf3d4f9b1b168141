"""Keeps the machine's processors from sleeping while frames pass, where the machine allows that.

It changes no setting: it holds a file open, and the kernel takes the request back when that is closed, by us or by our end
(PM QoS, Documentation/power/pm_qos_interface.rst). A processor that sleeps takes 50 us to notice a frame, of which the relay
knows nothing, as a frame's arrival is only known when it is read.
"""

from __future__ import annotations

import os

from topologies.emulator.links.pipe import NEVER

DEVICE = "/dev/cpu_dma_latency"
HOLD_NS = 1_000_000_000
"""So long after the last frame the processors may sleep again: a quiet lab costs nothing."""


def ability() -> str:
    """Empty, or why it is not possible here."""
    try:
        os.close(os.open(DEVICE, os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        return f"could not open {DEVICE}: {error.strerror}"
    return ""


class Awake:
    """`allowed` False: it does nothing."""

    def __init__(self, allowed: bool) -> None:
        self._allowed, self._fd, self._until_ns = allowed, -1, 0

    def frame(self, now_ns: int) -> None:
        """A frame has come."""
        self._until_ns = now_ns + HOLD_NS
        if self._fd < 0 and self._allowed:
            self._fd = os.open(DEVICE, os.O_WRONLY | os.O_CLOEXEC)
            os.write(self._fd, bytes(4))

    def idle(self, now_ns: int) -> int:
        """Before each sleep; returns when to be asked again."""
        if self._fd < 0:
            return NEVER
        if now_ns < self._until_ns:
            return self._until_ns
        os.close(self._fd)
        self._fd = -1
        return NEVER
