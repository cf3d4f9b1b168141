"""Jitter: the delay varies from frame to frame. Order is kept: no frame leaves before its predecessor (see `reorder.py`).

The shapes are those of iproute2's tables for netem, by their formulas: a uniform one of that half width; a normal one of that
standard deviation, cut at four; and a Pareto one (exponent 3, mean shifted to zero, scaled by 4/3, cut at four).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Self

from units import milliseconds, show_ms

from .effect import Effect, Fate

FURTHEST = 4.0
"""The normal and Pareto shapes reach no further, in units of the jitter."""


def _uniform(random: Random) -> float:
    return 2.0 * random.random() - 1.0


def _normal(random: Random) -> float:
    while abs(value := random.normalvariate(0.0, 1.0)) > FURTHEST:
        pass
    return value


def _pareto(random: Random) -> float:
    return min(FURTHEST, (float((1.0 - random.random()) ** (-1 / 3)) - 1.5) * 4 / 3)


@dataclass(frozen=True)
class Shape:
    """How offsets are spread, in units of the jitter: from `least` to `most`, with that mean, standard deviation and kurtosis
    (the fourth central moment by the square of the variance)."""

    draw: Callable[[Random], float]
    least: float
    most: float
    mean: float
    deviation: float
    kurtosis: float


SHAPES: dict[str, Shape] = {
    "uniform": Shape(_uniform, -1.0, 1.0, 0.0, 1 / math.sqrt(3), 1.8),
    "normal": Shape(_normal, -FURTHEST, FURTHEST, 0.0, 1.0, 3.0),
    "pareto": Shape(_pareto, -2 / 3, FURTHEST, -0.0329, 0.8209, 11.365),  # what the cut at four leaves of 0 and 2/sqrt(3)
}


@dataclass(frozen=True)
class Jitter(Effect):
    """`jitter_ms` is the width that the shape scales; the earliest offset may not exceed the delay."""

    word: ClassVar[str] = "jitter"
    slot: ClassVar[str] = "jitter"
    example: ClassVar[str] = "jitter 5ms normal"

    jitter_ms: float
    shape: str = "uniform"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`WIDTH [uniform|normal|pareto]`."""
        width, *shape = text.split() or [""]
        if len(shape) > 1 or (shape and shape[0] not in SHAPES):
            raise ValueError(f"'{text}' is not WIDTH [{'|'.join(SHAPES)}]; write for example {cls.example}")
        return cls(milliseconds(width), *shape)

    def text(self) -> str:
        """Width and shape."""
        return f"{self.jitter_ms:.9g}ms {self.shape}"

    @property
    def nothing(self) -> bool:
        """A width of zero."""
        return self.jitter_ms == 0

    @property
    def deviation_ms(self) -> float:
        """Standard deviation."""
        return self.jitter_ms * SHAPES[self.shape].deviation

    @property
    def mean_ms(self) -> float:
        """Mean offset."""
        return self.jitter_ms * SHAPES[self.shape].mean

    @property
    def kurtosis(self) -> float:
        """Of the shape."""
        return SHAPES[self.shape].kurtosis

    @property
    def most_ms(self) -> float:
        """The largest offset."""
        return self.jitter_ms * SHAPES[self.shape].most

    def problems(self, delay_ms: float) -> list[str]:
        """A frame cannot leave before it came."""
        least_ms = -self.jitter_ms * SHAPES[self.shape].least
        if self.jitter_ms >= 0 and least_ms <= delay_ms:
            return []
        return [f"jitter {show_ms(self.jitter_ms)} {self.shape} is as much as {show_ms(least_ms)} early, not within "
                f"0 and the one-way delay {show_ms(delay_ms)}"]  # fmt: skip

    def decider(self, random: Random) -> Callable[[Fate], None]:
        """One offset for each copy."""
        draw, width_ns = SHAPES[self.shape].draw, self.jitter_ms * 1e6

        def decide(fate: Fate) -> None:
            fate.extra_ns = round(draw(random) * width_ns)

        return decide

    def netem(self) -> str:
        """The second value of `delay`. `uniform` has a table too: without one, a change would keep the table of before."""
        return f"{self.jitter_ms:.6f}ms distribution {self.shape}"
