"""The order of trials: blocks in which every arm comes once, shuffled by a seed. It runs none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.harness.experiment import Arm


@dataclass(frozen=True)
class Slot:
    """One place in the order of trials."""

    number: int
    repetition: int
    warmup: bool
    arm: Arm


def schedule(arms: Sequence[Arm], repetitions: int, warmup: int, seed: int) -> list[Slot]:
    """Warm-ups first, then block by block every arm once, each block in its own random order.

    Blocks keep the arms interleaved: what drifts over the minutes of a run touches all of them alike.
    """
    order = random.Random(seed)
    slots: list[Slot] = []
    for block in range(warmup + repetitions):
        shuffled = list(arms)
        order.shuffle(shuffled)
        for arm in shuffled:
            slots.append(Slot(len(slots) + 1, max(0, block - warmup + 1), block < warmup, arm))
    return slots
