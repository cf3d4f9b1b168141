"""Loss in bursts: the model of Gilbert and Elliott. It is not independent loss; its two states remember.

E. N. Gilbert, Capacity of a Burst-Noise Channel, 1960; E. O. Elliott, Estimates of Error Rates for Codes on Burst-Noise
Channels, 1963. In the order of netem's `gemodel`: a frame is lost by the state it meets, then the state may change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Self

from units import fraction

from .effect import Effect, Fate, percent


@dataclass(frozen=True)
class GilbertElliott(Effect):
    """Two states. `enter` and `leave` are the probabilities, for each frame, to go from good to bad and back; a frame is lost
    with probability `bad` in the bad state and `good` in the good one. The first frame meets the good state."""

    word, slot, example = "gilbert-elliott", "loss", "gilbert-elliott 1% 25% 100% 0%"

    enter: float
    leave: float
    bad: float = 1.0
    good: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """`ENTER LEAVE [BAD [GOOD]]`, percentages."""
        values = [fraction(word) for word in text.split()]
        if not 2 <= len(values) <= 4:
            raise ValueError(f"'{text}' is not ENTER LEAVE [BAD [GOOD]]; write for example {cls.example}")
        return cls(*values)

    def text(self) -> str:
        """All four."""
        return " ".join(map(percent, (self.enter, self.leave, self.bad, self.good)))

    @property
    def nothing(self) -> bool:
        """It never loses anything."""
        return self.loss == 0

    def problems(self, delay_ms: float) -> list[str]:
        """Four probabilities, and a way out of the bad state."""
        named = {"enter": self.enter, "leave": self.leave, "bad": self.bad, "good": self.good}
        found = [f"gilbert-elliott {name} {percent(value)} is not a probability from 0% to 100%"
                 for name, value in named.items() if not 0 <= value <= 1]  # fmt: skip
        if not found and self.loss >= 1:
            found.append("gilbert-elliott loses everything in the long run; let it leave the bad state, or lose less in it")
        return found

    @property
    def loss(self) -> float:
        """In the long run: the share of frames in each state times its loss."""
        if self.enter == 0:
            return self.good
        in_bad = self.enter / (self.enter + self.leave)
        return in_bad * self.bad + (1 - in_bad) * self.good

    def decider(self, random: Random) -> Callable[[Fate], None]:
        """Two draws for each copy: one for its loss, one for the state."""
        draw, losses, changes = random.random, (self.good, self.bad), (self.enter, self.leave)
        state = 0

        def decide(fate: Fate) -> None:
            nonlocal state
            if draw() < losses[state]:
                fate.lost = True
            if draw() < changes[state]:
                state = 1 - state

        return decide

    def netem(self) -> str:
        """The kernel's `gemodel p r 1-h 1-k`."""
        return f"loss gemodel {self.text()}"
