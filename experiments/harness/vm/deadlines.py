"""How long a guest may take to come up, to be silent, and altogether. It takes `now` in seconds and reads no clock."""

from __future__ import annotations

from dataclasses import dataclass

from units import show_ms

BOOT_S = 120.0
"""TCG on two cores needs about 5 s; a loaded machine may need many times that."""

SILENCE_S = 60.0
"""The agent gives a sign of life every 5 s, whatever the command does."""


@dataclass(frozen=True)
class Limits:
    """In seconds; `total_s` None is no limit on the whole."""

    boot_s: float = BOOT_S
    silence_s: float = SILENCE_S
    total_s: float | None = None


class Deadlines:
    """Which limit a guest has passed, from what was heard of it and when."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits, self._began, self._heard = limits, now, now
        self._up = False

    def heard(self, now: float) -> None:
        """Something came from the agent."""
        self._heard, self._up = now, True

    def overdue(self, now: float) -> str:
        """What the guest did not do in time, and what to do, in words; empty while it is in time."""
        limits = self._limits
        if limits.total_s is not None and now - self._began >= limits.total_s:
            return f"the command did not end within {show_ms(limits.total_s * 1e3)}; give it longer with --timeout"
        if not self._up and now - self._began >= limits.boot_s:
            return f"the guest did not come up within {show_ms(limits.boot_s * 1e3)}; try --accel tcg, or an idle machine"
        if self._up and now - self._heard >= limits.silence_s:
            return f"the guest gave no sign of life for {show_ms(limits.silence_s * 1e3)}; try --accel tcg, or fewer --cpus"
        return ""

    def left_s(self, now: float) -> float:
        """Time until the next limit, in seconds; 0 when one is passed."""
        limits = self._limits
        ends = [self._heard + limits.silence_s if self._up else self._began + limits.boot_s]
        if limits.total_s is not None:
            ends.append(self._began + limits.total_s)
        return max(0.0, min(ends) - now)
