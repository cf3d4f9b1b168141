"""Passive ejection: a node whose answers fail five times in a row takes no traffic for a while, longer each time.

It sees answers only, and no node but by its name. After Envoy's outlier detection: 30 s times the count, at most a tenth of
all nodes but at least one; a node that stays for 30 s without another ejection is forgiven one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """When a node is ejected and for how long."""

    consecutive: int = 5
    base_s: float = 30.0
    most: float = 0.1
    """The share of all nodes that may be out at once; one always may."""


class _Record:
    __slots__ = ("count", "failed", "until_s")

    def __init__(self) -> None:
        self.failed = self.count = 0
        self.until_s = 0.0


class Outliers:
    """Of one balancer."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._records: dict[str, _Record] = {}
        self._out: dict[str, float] = {}

    def succeeded(self, name: str) -> None:
        """An answer was right."""
        record = self._records.get(name)
        if record is not None:
            record.failed = 0

    def failed(self, name: str, now_s: float, nodes: int) -> float | None:
        """An answer failed, one of so many nodes; gives how long the node is out, None when it stays."""
        record = self._records.setdefault(name, _Record())
        record.failed += 1
        if record.failed < self._limits.consecutive or name in self._out:
            return None
        if len(self._out) >= max(1, int(self._limits.most * nodes)):
            return None
        forgiven = int((now_s - record.until_s) / self._limits.base_s) if record.count else 0
        record.count = max(0, record.count - forgiven) + 1
        record.failed, out_s = 0, self._limits.base_s * record.count
        record.until_s = self._out[name] = now_s + out_s
        return out_s

    def is_out(self, name: str) -> bool:
        """Whether a node takes no traffic."""
        return name in self._out

    def next_s(self) -> float:
        """When the next one returns; infinity when none is out."""
        return min(self._out.values(), default=float("inf"))

    def returned(self, now_s: float) -> list[str]:
        """Those whose time is over; they take traffic again."""
        back = [name for name, until_s in self._out.items() if until_s <= now_s]
        for name in back:
            del self._out[name]
        return back

    def forget(self, name: str) -> None:
        """A node is no member any more."""
        self._records.pop(name, None)
        self._out.pop(name, None)
