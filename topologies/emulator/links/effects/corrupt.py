"""Corruption: one bit of a frame is inverted. Checksums are complete before, so that the receiver can notice."""

from __future__ import annotations

from .chance import Chance
from .effect import Fate


class Corrupt(Chance):
    """One bit, anywhere in the frame, is inverted with the same probability for each frame."""

    word, slot, example = "corrupt", "corrupt", "corrupt 0.1%"

    def happen(self, fate: Fate, evenly: float) -> None:
        """A bit, evenly chosen."""
        fate.corrupt_at = evenly

    def netem(self) -> str:
        """Corruption."""
        return f"corrupt {self.text()}"
