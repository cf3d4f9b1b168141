"""In which order zones are asked: the local one, then the others so that each gets an equal share. It asks nobody."""

from __future__ import annotations

from collections.abc import Sequence


class ReadOrder:
    """Zones that may be read. The others take turns at being second, which spreads what a lost zone sheds."""

    def __init__(self, zones: Sequence[str], local: str | None) -> None:
        """Raises ValueError when `local` is none of the zones."""
        if local is not None and local not in zones:
            raise ValueError(f"'{local}' is none of the zones {', '.join(zones)}")
        self._local = () if local is None else (local,)
        self._others = tuple(zone for zone in zones if zone != local)
        self._turn = 0

    def next(self) -> tuple[str, ...]:
        """The order for one read."""
        if not self._others:
            return self._local
        self._turn = (self._turn + 1) % len(self._others)
        return self._local + self._others[self._turn :] + self._others[: self._turn]
