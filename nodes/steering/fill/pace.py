"""How fast a site is filled: a copy begins when what came before it has taken the time that its rate asks for.

It sleeps not and copies nothing. The rate is kept from copy to copy: within one, the network decides.
"""

from __future__ import annotations


class Pace:
    """A rate in bit/s, from `began_s` on."""

    def __init__(self, rate_bps: float, began_s: float) -> None:
        self._rate_bps, self._due_s = rate_bps, began_s

    def due_s(self, now_s: float) -> float:
        """When the next copy may begin: now, or later."""
        return max(now_s, self._due_s)

    def copied(self, size_bytes: int, began_s: float) -> None:
        """A copy of so many bytes began then. What was not used of the rate before is lost: it is a limit, no account."""
        self._due_s = max(self._due_s, began_s) + size_bytes * 8 / self._rate_bps
