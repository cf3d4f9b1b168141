"""Two engines measured in turn, so that what drifts touches both alike, each run while nobody else used the processors.

It measures nothing itself.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

from experiments.harness.load import quiet
from experiments.harness.load.engine import Engine

ATTEMPTS = 6
"""A run that others disturbed is repeated so often at most; then it is taken as it is, and said to be so."""

Run = Callable[[Engine], tuple[float, str]]
"""One run of one engine: the figure, and what else there is to say of it."""


@dataclass(frozen=True)
class Samples:
    """Of ours and of its peer."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]


@dataclass(frozen=True)
class Turns:
    """Ours and its peer, so many runs each; who begins changes every time."""

    ours: Engine
    peer: Engine
    repetitions: int

    def take(self, run: Run, what: str, unit: str, most_foreign: float | None = 0.1) -> Samples:
        """The figures of all runs; one during which others used more of a processor than `most_foreign` is repeated.

        None: what is measured needs no processor to itself.
        """
        ours, peer = list[float](), list[float]()
        for number in range(self.repetitions):
            both = [(self.ours, ours), (self.peer, peer)]
            for engine, samples in both if number % 2 else reversed(both):
                samples.append(run(engine)[0] if most_foreign is None else undisturbed(engine, run, unit, most_foreign))
        say(f"  {what}: ours {statistics.median(ours):.4g}, nginx {statistics.median(peer):.4g} {unit}")
        return Samples(tuple(ours), tuple(peer))


def undisturbed(engine: Engine, run: Run, unit: str, most_foreign: float) -> float:
    """The figure of a run during which others left the processors alone, if one of the attempts is such a run."""
    for _ in range(ATTEMPTS):
        before = quiet.reading(engine)
        value, more = run(engine)
        after = quiet.reading(engine)
        others = quiet.foreign_share(before, after)
        disturbed = others > most_foreign
        words = [f"{value:.4g} {unit}", f"server {quiet.engine_share(before, after):.0%} of a processor", more,
                 f"disturbed: others {others:.0%}" if disturbed else ""]  # fmt: skip
        say(f"    {engine.kind}: {', '.join(filter(None, words))}")
        if not disturbed:
            break
    return value


def say(line: str) -> None:
    """Progress, for whoever watches."""
    print(line, file=sys.stderr, flush=True)


