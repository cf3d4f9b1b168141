"""Two engines measured in turn, so that what drifts touches both alike, each run while nobody else used the processors.

It measures nothing itself.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from experiments.harness.load import quiet
from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import TooSlowError

PAUSE_S = 1.0
"""Between a run that others disturbed and its repetition."""

Run = Callable[[Engine], tuple[float, str]]
"""One run of one engine: the figure, and what else there is to say of it."""


@dataclass
class Patience:
    """How many runs are still repeated because others disturbed them; then they are taken as they are, and said to be so."""

    left: int


@dataclass(frozen=True)
class Samples:
    """Of ours and of its peer; how many of them others disturbed."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]
    disturbed: int = 0

    @property
    def warning(self) -> str:
        """Empty, or what is to be said of them."""
        return f"{self.disturbed} of {len(self.ours) + len(self.peer)} runs disturbed by others" if self.disturbed else ""


@dataclass(frozen=True)
class Turns:
    """Ours and its peer, so many runs each; who begins changes every time."""

    ours: Engine
    peer: Engine
    repetitions: int
    patience: Patience

    def take(self, run: Run, what: str, unit: str, most_foreign: float | None = 0.1) -> Samples:
        """The figures of all runs; one during which others used more of a processor than `most_foreign` is repeated.

        None: what is measured needs no processor to itself.
        """
        ours, peer, disturbed = list[float](), list[float](), 0
        for number in range(self.repetitions):
            both = [(self.ours, ours), (self.peer, peer)]
            for engine, samples in both if number % 2 else reversed(both):
                if most_foreign is None:
                    samples.append(run(engine)[0])
                    continue
                value, quietly = undisturbed(engine, run, unit, most_foreign, self.patience)
                samples.append(value)
                disturbed += not quietly
        say(f"  {what}: ours {statistics.median(ours):.4g}, nginx {statistics.median(peer):.4g} {unit}")
        return Samples(tuple(ours), tuple(peer), disturbed)


def undisturbed(engine: Engine, run: Run, unit: str, most_foreign: float, patience: Patience) -> tuple[float, bool]:
    """The figure of a run, and whether others left the processors alone meanwhile. Raises TooSlowError when it did not
    reach its rate though they did, or though it was repeated."""
    while True:
        before = quiet.reading(engine)
        failed, value, more = None, 0.0, ""
        try:
            value, more = run(engine)
        except TooSlowError as error:
            failed, more = error, "too slow"
        after = quiet.reading(engine)
        others = quiet.foreign_share(before, after)
        disturbed = others > most_foreign
        words = [f"{value:.4g} {unit}", f"server {quiet.engine_share(before, after):.0%} of a processor", more,
                 f"disturbed: others {others:.0%}" if disturbed else ""]  # fmt: skip
        say(f"    {engine.kind}: {', '.join(filter(None, words))}")
        if not disturbed or not patience.left:
            if failed is not None:
                raise failed
            return value, not disturbed
        patience.left -= 1
        time.sleep(PAUSE_S)


def say(line: str) -> None:
    """Progress, for whoever watches."""
    print(line, file=sys.stderr, flush=True)
