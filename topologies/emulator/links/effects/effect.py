"""What every effect of a wire is: something that happens to a frame after the queue, decided by chance alone.

It is not a queue or a rate: those depend on when frames come. Each file beside this one is one effect, found by its presence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random
from typing import ClassVar, Self


class Fate:
    """What becomes of one copy of a frame: set by the effects, one attribute each.

    `extra_ns` is added to the delay; `overtakes` skips the delay altogether; `corrupt_at` in [0, 1) says which bit is inverted
    (times the number of bits), -1.0 none; `twice` asks for a second copy, which meets all effects but this by draws of its own.
    """

    __slots__ = ("corrupt_at", "extra_ns", "lost", "overtakes", "twice")

    def __init__(self) -> None:
        self.lost, self.extra_ns, self.overtakes, self.corrupt_at, self.twice = False, 0, False, -1.0, False


class Effect(ABC):
    """One effect with its values, immutable. `word` names it in settings, in the shell and in schedules; two effects of the
    same `slot` exclude each other. Each draws from a generator of its own, so that one never changes another's fate."""

    word: ClassVar[str]
    slot: ClassVar[str]
    example: ClassVar[str]

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """From the text behind the word. Raises ValueError, whose message is for the user."""

    @abstractmethod
    def text(self) -> str:
        """What `parse` reads back as the same effect."""

    @property
    @abstractmethod
    def nothing(self) -> bool:
        """Whether its values do nothing, such as a loss of 0 %."""

    @abstractmethod
    def decider(self, random: Random) -> Callable[[Fate], None]:
        """A function that is called once for each copy of a frame, in the order offered, and sets its part of the fate."""

    @abstractmethod
    def netem(self) -> str:
        """The same for the kernel: words of `tc qdisc ... netem`. See tc-netem(8)."""

    def problems(self, delay_ms: float) -> list[str]:
        """What is wrong with it on a direction of that one-way delay, in words."""
        return []

    @property
    def loss(self) -> float:
        """Mean share of the frames that it loses."""
        return 0.0


def percent(value: float) -> str:
    """A probability as text for users and for `tc`, exact to 1e-9."""
    return f"{value * 100:.7f}".rstrip("0").rstrip(".") + "%"
