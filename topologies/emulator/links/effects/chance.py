"""An effect that is one probability, the same for every frame and independent of all others. Its subclasses say of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Self

from units import fraction

from .effect import Effect, Fate, percent


@dataclass(frozen=True)
class Chance(Effect):
    """`probability` in [0, 1)."""

    probability: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Such as `1%`."""
        return cls(fraction(text))

    def text(self) -> str:
        """Such as `1%`."""
        return percent(self.probability)

    @property
    def nothing(self) -> bool:
        """A probability of zero."""
        return self.probability == 0

    def problems(self, delay_ms: float) -> list[str]:
        """A probability outside [0, 1)."""
        fine = 0 <= self.probability < 1
        return [] if fine else [f"{self.word} {self.text()} is not a probability from 0% to below 100%"]

    def decider(self, random: Random) -> Callable[[Fate], None]:
        """One draw for each copy."""
        draw, probability, happen = random.random, self.probability, self.happen

        def decide(fate: Fate) -> None:
            value = draw()
            if value < probability:
                happen(fate, value / probability)

        return decide

    def happen(self, fate: Fate, evenly: float) -> None:
        """What happens then; `evenly` is a number evenly spread over [0, 1), for those that need one."""
        raise NotImplementedError
