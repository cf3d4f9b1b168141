"""When to be woken for a moment that must be met: early by what waking costs here, within a budget of spinning.

It is not a timer. A sleeping process is woken late (50 to 200 us in a small virtual machine); setting the alarm early
by the usual lateness and watching the clock for the rest meets the moment within microseconds. Watching burns
processor time that the hosts of the lab need, so it is limited to a share of the elapsed time.
"""

from __future__ import annotations

LONGEST_LEAD_NS = 250_000
SPIN_SHARE = 5  # one part in five: 20 %
MOST_CREDIT_NS = 10_000_000


class Waker:
    """Learns how late this machine wakes us, and spends a credit of spinning time accordingly."""

    __slots__ = ("_credit_ns", "_seen_ns", "_watching", "lead_ns")

    def __init__(self, now_ns: int) -> None:
        self.lead_ns = 50_000
        self._credit_ns = MOST_CREDIT_NS
        self._seen_ns = now_ns
        self._watching = False

    def alarm(self, due_ns: int, now_ns: int) -> int:
        """When to be woken for `due_ns`: 0 means not to sleep at all but to watch the clock.

        Time between an answer of 0 and the next question counts as spent.
        """
        passed = now_ns - self._seen_ns
        credit = self._credit_ns + passed // SPIN_SHARE - (passed if self._watching else 0)
        self._credit_ns = MOST_CREDIT_NS if credit > MOST_CREDIT_NS else credit
        self._seen_ns = now_ns
        ahead = due_ns - now_ns
        self._watching = 0 < ahead <= self.lead_ns and self._credit_ns > 0
        if ahead <= 0 or self._watching:
            return 0
        return due_ns if self._credit_ns <= 0 or ahead <= self.lead_ns else due_ns - self.lead_ns

    def woken(self, late_ns: int) -> None:
        """Learn from an alarm that came `late_ns` after it was set for. The lead follows slowly, and is capped."""
        lead = self.lead_ns + ((late_ns + (late_ns >> 2) - self.lead_ns) >> 3)
        self.lead_ns = LONGEST_LEAD_NS if lead > LONGEST_LEAD_NS else lead
