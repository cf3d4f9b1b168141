"""Whether others used the processors while something was measured. It does not know who they are."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.harness.load.engine import Engine


@dataclass(frozen=True)
class Reading:
    """Processor time so far, in seconds: all that the machine has spent (stolen time too), the engine's, our own and that of
    what stands beside the engine."""

    at_s: float
    busy_s: float
    engine_s: float
    own_s: float


def reading(engine: Engine) -> Reading:
    """Now; our own is this process's and that of its children that have ended."""
    words = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:]
    ticks = sum(int(words[i]) for i in (0, 1, 2, 5, 6, 7))  # user, nice, system, irq, softirq, steal
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Reading(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), engine.cpu_s(),
                   sum(one.ru_utime + one.ru_stime for one in used) + sum(one.cpu_s() for one in engine.beside))  # fmt: skip


def engine_share(before: Reading, after: Reading) -> float:
    """What the engine used in between, as a share of one processor."""
    return (after.engine_s - before.engine_s) / (after.at_s - before.at_s)


def foreign_share(before: Reading, after: Reading) -> float:
    """What others used, as a share of one processor. The clock ticks in hundredths, so it may be below zero."""
    ours_s = after.engine_s - before.engine_s + after.own_s - before.own_s
    return (after.busy_s - before.busy_s - ours_s) / (after.at_s - before.at_s)
