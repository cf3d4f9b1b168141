"""On which line of a TOML text a key or a mistake stands; of keys the parser of the standard library does not tell it.

It finds keys that are known to be there; it does not parse TOML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_AT = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_ROUTE = re.compile(r"\s*\[\[\s*[\"']?route[\"']?\s*\]\]")


class Lines:
    """A text's lines, counted from 1."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        starts = [number for number, line in enumerate(self._lines) if _ROUTE.match(line)]
        self._spans = list(zip(starts, [*starts, len(self._lines)][1:], strict=True))

    def of(self, path: Sequence[str], route: int | None = None) -> int:
        """Where the last name of `path` stands, inside the route of that number (from 0) or in the whole text.

        Each name is sought from where the one before it was found, so that a name which stands in several tables is the
        right one; a name that is nowhere leaves the line of the one before it.
        """
        found, end = (0, len(self._lines)) if route is None or route >= len(self._spans) else self._spans[route]
        column = 0
        # The first name begins a line or a table's name; the others stand in or behind the line of the one before.
        before = r"^\s*(?:\[+\s*(?:route\.)?)?"
        for name in path:
            key = re.compile(rf"{before}[\"']?{re.escape(name)}[\"']?(?=\s*[=.\]])")
            found, column = self._seek(key, found, column, end) or (found, column)
            before = r"(?:^|[\s.{,])"
        return found + 1

    def _seek(self, key: re.Pattern[str], first: int, column: int, end: int) -> tuple[int, int] | None:
        for number in range(first, end):
            line = self._lines[number]
            match = None if line.lstrip().startswith("#") else key.search(line, column if number == first else 0)
            if match:
                return number, match.end()
        return None


def syntax_error(told: str, text: str) -> str:
    """What tomllib says of a text that is not TOML, with the line in front as in every other error."""
    found = _AT.fullmatch(told)
    if found is None:
        return told
    cause = found[1][:1].lower() + found[1][1:]
    if found[2] is None:
        return f"line {max(len(text.splitlines()), 1)}: {cause}, and the file ends"
    return f"line {found[2]}: {cause}, at column {found[3]}"
