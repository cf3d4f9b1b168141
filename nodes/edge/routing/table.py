"""One table of the rules, read key by key: each value is of its kind or the error names line, key, value and what is allowed.

It knows kinds of values (texts, durations, statuses); what a key means is known by who asks for it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from nodes.edge.routing.lines import Lines
from units import UnitError, milliseconds

T = TypeVar("T")


class RulesError(ValueError):
    """Rules that cannot be followed; the message says where and what is allowed."""


class Table:
    """A TOML table at `path` inside route number `route` (from 0; None: outside the routes)."""

    def __init__(self, lines: Lines, values: dict[str, Any], path: tuple[str, ...] = (), route: int | None = None) -> None:
        self.lines, self.values, self.path, self.route = lines, values, path, route

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def only(self, *allowed: str) -> None:
        """Refuse every other key. Raises RulesError."""
        for key in self.values:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise RulesError(f"{self.place(key)} is unknown{hint}; allowed are {', '.join(allowed)}")

    def place(self, *keys: str) -> str:
        """Line and key, for an error."""
        number = self.lines.of((*self.path, *keys), self.route)
        inside = "" if self.route is None else f"route {self.route + 1}, "
        return f"line {number}: {inside}key '{'.'.join((*self.path, *keys))}'"

    def wrong(self, key: str, value: object, allowed: str) -> NoReturn:
        """Raise RulesError for a value."""
        raise RulesError(f"{self.place(key)} is {_shown(value)}; allowed is {allowed}")

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, value, "true or false")
        return value

    def text(self, key: str) -> str | None:
        """A text that is not empty, or None where the key is absent."""
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            self.wrong(key, value, "a text in quotes, not empty")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """One text or a list of texts; empty where the key is absent."""
        value = self.values.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
            self.wrong(key, value, "a text in quotes or a list of them")
        if key in self.values and not found:
            self.wrong(key, value, "a text in quotes or a list of them, not empty")
        return tuple(found)

    def seconds(self, key: str) -> float | None:
        """A duration with its unit, in seconds; None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        try:
            found = milliseconds(value) / 1e3 if isinstance(value, str) else -1.0
        except UnitError as error:
            raise RulesError(f"{self.place(key)}: {error}") from error
        if found < 0:
            self.wrong(key, value, 'a duration with its unit in quotes, such as "30s", "10min" or "24h"')
        return found

    def whole(self, key: str, allowed: Sequence[int] | range, words: str) -> int | None:
        """A whole number out of `allowed`; None where the key is absent."""
        value = self.values.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value not in allowed):
            self.wrong(key, value, words)
        return value

    def table(self, key: str) -> Table | None:
        """A table inside this one, or None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong(key, value, "a table: { ... } or lines of their own below it")
        return Table(self.lines, value, (*self.path, key), self.route)

    def made(self, key: str, make: Callable[[str], T], text: str) -> T:
        """What `make` makes of the text; its ValueError becomes one of this key. Raises RulesError."""
        try:
            return make(text)
        except ValueError as error:
            raise RulesError(f"{self.place(key)}: {error}") from error


def _shown(value: object) -> str:
    """A value as it stands in TOML, as far as that is short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    return f"{value!r}"
