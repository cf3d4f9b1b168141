"""Duplication on the wire. The copy is a frame of its own there: it may be lost or delayed otherwise than its original."""

from __future__ import annotations

from .chance import Chance
from .effect import Fate


class Duplicate(Chance):
    """Each frame arrives twice with the same probability."""

    word, slot, example = "duplicate", "duplicate", "duplicate 1%"

    def happen(self, fate: Fate, evenly: float) -> None:
        """It is doubled."""
        fate.twice = True

    def netem(self) -> str:
        """Duplication."""
        return f"duplicate {self.text()}"
