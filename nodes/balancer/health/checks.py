"""Active checks of one node: so many failures in a row bring it down, so many successes up again. It asks nothing itself."""

from __future__ import annotations


class Checked:
    """`up` until `fall` checks in a row failed; then down until `rise` in a row succeeded. A node begins up."""

    __slots__ = ("_against", "_fall", "_rise", "up")

    def __init__(self, rise: int, fall: int) -> None:
        self._rise, self._fall = rise, fall
        self._against = 0
        """How many checks in a row have spoken against what it is now."""
        self.up = True

    def result(self, ok: bool) -> bool:
        """One check's result; whether `up` has changed."""
        if ok == self.up:
            self._against = 0
            return False
        self._against += 1
        if self._against < (self._fall if self.up else self._rise):
            return False
        self.up, self._against = ok, 0
        return True
