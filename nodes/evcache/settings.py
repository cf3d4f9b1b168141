"""What a cache is told once, with EVCache's defaults where it has them. It reads no options."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nodes.evcache import write_policy
from nodes.evcache.lifetime import LONGEST_S

SILENT_S = 1.0
"""A connection on which a command that was given up is still unanswered is closed after it."""


@dataclass(frozen=True)
class Settings:
    """Times in seconds. Raises ValueError for what cannot be."""

    namespace: str = "evcache"
    local_zone: str | None = None
    write_only: frozenset[str] = frozenset()
    policy: str = write_policy.DEFAULT
    fill_all: bool = False
    """Whether what was loaded from the source of truth goes to all zones and not to the local one alone."""
    read_s: float = 0.02
    write_s: float = 2.5
    longest_s: int = 600
    """No copy lives longer: the bound on stale values when nothing else mends them."""
    absent_s: int = 5
    """How long it is remembered that a row is absent."""
    jitter: float = 0.1
    collapse: bool = True
    """Whether of several that miss one key one loads it, and the others wait."""
    check_reads: float = 0.0
    """The part of the reads from zones that is held against the source of truth afterwards, to know how stale they were."""
    refresh_s: int = 0
    """A copy with less time left than this is loaded anew by one of its readers; 0 waits until it is gone."""
    lease_s: int = 4
    """How long the winner of a miss has the sole right to load it."""
    collapse_s: float = 1.0
    """How long the others wait for the winner before they load it themselves."""
    compress_above_bytes: int = 16 * 1024
    waiting: int = 1024
    """Commands that may wait on one connection."""
    repairs: int = 100_000
    """Keys that may wait for repair, in each zone."""
    near_capacity: int = 0
    """Hot keys that are kept in the process; 0 keeps none."""
    near_s: float = 1.0
    near_reads: int = 100
    near_window_s: float = 1.0

    def __post_init__(self) -> None:
        write_policy.needed(self.policy, 1)
        for name in ("read_s", "write_s", "longest_s", "absent_s", "lease_s", "waiting", "repairs"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} {getattr(self, name)} is not above zero")
        if self.longest_s > LONGEST_S:
            raise ValueError(f"lives of {self.longest_s} s are beyond what memcached counts; give at most {LONGEST_S} s")
        if not 0 <= self.check_reads <= 1:
            raise ValueError(f"a part of {self.check_reads:g} of the reads is not from 0 to 1")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"a jitter of {self.jitter:g} is not from 0 to below 1")
        for life_s in (math.floor(self.longest_s * (1 - self.jitter)), self.absent_s):
            if life_s - 1 <= self.write_s:  # memcached counts whole seconds: a copy may end up to one early
                raise ValueError(f"copies that live {life_s} s could end before a write does ({self.write_s:g} s); "
                                 "let them live longer or writes time out sooner")  # fmt: skip

    @property
    def bound_s(self) -> float:
        """A replica that missed a write serves the old value for no longer, even if nobody repairs it: a copy's longest life,
        which began before the write; a second because lives are whole seconds, and one that memcached's clock may be behind;
        a store that is on its way until its connection is given up; and the near cache."""
        on_its_way_s = self.write_s + SILENT_S
        return self.longest_s + 2 + on_its_way_s + (self.near_s + self.read_s if self.near_capacity else 0)
