"""Reordering: some frames skip the delay and overtake those under way. It is not jitter, which keeps the order."""

from __future__ import annotations

from .chance import Chance
from .effect import Fate


class Reorder(Chance):
    """Each frame leaves the wire at once, as soon as it has left the queue, with the same probability."""

    word, slot, example = "reorder", "reorder", "reorder 5%"

    def happen(self, fate: Fate, evenly: float) -> None:
        """It overtakes."""
        fate.overtakes = True

    def netem(self) -> str:
        """Reordering."""
        return f"reorder {self.text()}"

    def problems(self, delay_ms: float) -> list[str]:
        """Without a delay there is nothing to skip."""
        none = [] if delay_ms or self.nothing else ["reorder needs a delay: frames overtake by skipping it"]
        return super().problems(delay_ms) + none
