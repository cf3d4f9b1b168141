"""Independent loss on the wire. It is not the loss of a full queue: a lost frame has waited and used the rate."""

from __future__ import annotations

from .chance import Chance
from .effect import Fate


class Loss(Chance):
    """Each frame is lost with the same probability."""

    word, slot, example = "loss", "loss", "loss 1%"

    def happen(self, fate: Fate, evenly: float) -> None:
        """It is lost."""
        fate.lost = True

    def netem(self) -> str:
        """Independent loss."""
        return f"loss random {self.text()}"

    @property
    def loss(self) -> float:
        """The probability."""
        return self.probability
