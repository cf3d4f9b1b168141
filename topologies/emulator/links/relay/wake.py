"""When to be woken for a moment that must be met, within a budget of spinning; and when to rest.

It is not a timer. A sleeping process is woken late (20 to 200 us in a small virtual machine); setting the alarm early
by the usual lateness and watching the clock for the rest meets the moment within microseconds. Watching burns
processor time that the hosts of the lab need, so it is limited to a share of the time slept: a busy worker watches little.
"""

from __future__ import annotations

from topologies.emulator.links.pipe import NEVER

LONGEST_LEAD_NS = 250_000
SPIN_SHARE = 5  # one part in five of the time slept
MOST_CREDIT_NS = 10_000_000

WINDOW_NS, LEAST_REST_NS = 5_000_000, 300_000
"""A worker sleeps at least 6 % of any 5 ms: the kernel stops a real-time process for 50 ms that takes over 95 % of a second."""
SLEPT_NS = 20_000
"""A call that was away for longer has slept."""


class Waker:
    """Learns how late this machine wakes us, and spends a credit of spinning time accordingly.

    It also sees to it that LEAST_REST_NS of every WINDOW_NS are slept, so that the worker is never stopped for much longer.
    """

    __slots__ = ("_credit_ns", "_rested_ns", "_seen_ns", "_since_ns", "_watching", "lead_ns")

    def __init__(self, now_ns: int) -> None:
        self.lead_ns = 50_000
        self._credit_ns = MOST_CREDIT_NS
        self._seen_ns = self._since_ns = now_ns
        self._rested_ns = 0
        self._watching = False

    def alarm(self, due_ns: int, now_ns: int) -> int:
        """When to be woken for `due_ns` (NEVER: for nothing): 0 means not to sleep at all but to watch the clock.

        Time between an answer of 0 and the next question counts as spent, so it is to be asked before every sleep.
        """
        if self._watching:
            self._credit_ns -= now_ns - self._seen_ns
        self._seen_ns = now_ns
        ahead = due_ns - now_ns
        self._watching = 0 < ahead <= self.lead_ns and self._credit_ns > 0
        if ahead <= 0 or self._watching:
            return 0
        if due_ns >= NEVER:
            return NEVER
        return due_ns if self._credit_ns <= 0 or ahead <= self.lead_ns else due_ns - self.lead_ns

    def woken(self, late_ns: int) -> None:
        """Learn from an alarm that came `late_ns` after it was set for. The lead follows slowly, and is capped."""
        lead = self.lead_ns + ((late_ns + (late_ns >> 2) - self.lead_ns) >> 3)
        self.lead_ns = LONGEST_LEAD_NS if lead > LONGEST_LEAD_NS else lead

    def slept(self, from_ns: int, to_ns: int) -> None:
        """A call that may have slept lasted so long."""
        if to_ns - from_ns > SLEPT_NS:
            self._rested_ns += to_ns - from_ns
            credit = self._credit_ns + (to_ns - from_ns) // SPIN_SHARE
            self._credit_ns = MOST_CREDIT_NS if credit > MOST_CREDIT_NS else credit

    def owed(self, now_ns: int) -> int:
        """How long to sleep now; mostly 0."""
        if now_ns - self._since_ns < WINDOW_NS:
            return 0
        owed_ns = max(0, LEAST_REST_NS - self._rested_ns)
        self._since_ns, self._rested_ns = now_ns, 0
        return owed_ns
