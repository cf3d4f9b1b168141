"""Popularity of files: bytes streamed over size, day by day, smoothed. It knows no site and no clock: days are handed in.

Bytes over size are whole plays, however much of each was played (Netflix, "Content Popularity for Open Connect", 2016), so
a byte of disk that holds a file saves as many bytes from elsewhere as its popularity says.
"""

from __future__ import annotations

from collections.abc import Mapping

from nodes.steering.fill.errors import FillError

FORGOTTEN = 1e-6
"""Plays a day under which a file is no longer kept in mind."""


class Popularity:
    """Exponentially smoothed plays a day. `half_life_days`: after so many days without a play half of it is left."""

    def __init__(self, half_life_days: float = 2.0) -> None:
        if not half_life_days > 0:
            raise FillError(f"could not smooth over a half-life of {half_life_days:g} days: it is not above zero")
        self._keep = 0.5 ** (1 / half_life_days)
        self._plays: dict[str, float] = {}
        self._weight = 0.0
        """What the weights of all days so far add up to: so the first days count in full, and not as if after empty ones."""

    def day(self, streamed_bytes: Mapping[str, int], sizes_bytes: Mapping[str, int]) -> None:
        """One day is over. Raises FillError for a file without a size, and then nothing has changed."""
        for title, streamed in streamed_bytes.items():
            if sizes_bytes.get(title, 0) <= 0 or streamed < 0:
                raise FillError(f"could not count {streamed} bytes of {title}: its size is {sizes_bytes.get(title, 'unknown')}")
        keep = self._keep
        self._plays = {title: plays * keep for title, plays in self._plays.items() if plays * keep > FORGOTTEN}
        for title, streamed in streamed_bytes.items():
            self._plays[title] = self._plays.get(title, 0.0) + (1 - keep) * streamed / sizes_bytes[title]
        self._weight = self._weight * keep + (1 - keep)

    def of(self, title: str) -> float:
        """Plays a day."""
        return self._plays.get(title, 0.0) / self._weight if self._weight else 0.0

    def all(self) -> dict[str, float]:
        """Every file that is known, with its plays a day."""
        return {title: plays / self._weight for title, plays in self._plays.items()}
