"""Cache-Control directives (RFC 9111, section 5.2) from the lines of a field.

It gives them no meaning. A malformed member keeps its name, so that a restriction is not lost by a slip, but its
argument is no number, so that a lifetime is not invented.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from nodes.http.message import Fields

LONGEST_S = 2**31
"""Delta-seconds above this are taken as this: section 1.2.2."""

LONGEST_REMEMBERED = 200
"""Characters of a field line whose reading is kept for the next message."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STOP = re.compile(r'[",]')


class Directives:
    """Names in lower case with the arguments of each occurrence, in order; None for an occurrence without one."""

    __slots__ = ("_found",)

    def __init__(self, found: dict[str, tuple[str | None, ...]]) -> None:
        self._found = found

    def __bool__(self) -> bool:
        return bool(self._found)

    def __repr__(self) -> str:
        return f"Directives({self._found})"

    def has(self, name: str) -> bool:
        """Whether it is there, with whatever argument."""
        return name in self._found

    def get(self, name: str) -> str | None:
        """The argument of the first occurrence (section 4.2.1); None when there is no directive or no argument."""
        return self._found.get(name, (None,))[0]

    def seconds(self, name: str) -> int | None:
        """The argument as delta-seconds, None when the directive is absent; what is not a number counts as 0.

        So a response with invalid freshness information is stale, which section 4.2.1 encourages.
        """
        arguments = self._found.get(name)
        if arguments is None:
            return None
        argument = arguments[0]
        if argument is None or not (argument.isascii() and argument.isdigit()):
            return 0
        return min(int(argument), LONGEST_S) if len(argument) <= 12 else LONGEST_S if argument.strip("0") else 0

    def names(self, name: str) -> tuple[str, ...]:
        """The field names of no-cache="a, b" or private="a", lower case; empty when any occurrence names none.

        An occurrence without names is about the whole response, which is the stricter reading (section 4.2.1).
        """
        found: list[str] = []
        for argument in self._found.get(name, ()):
            names = [part.strip().lower() for part in (argument or "").split(",") if part.strip()]
            if not names:
                return ()
            found += names
        return tuple(dict.fromkeys(found))

    def unqualified(self, name: str) -> bool:
        """Whether it is there and about the whole response."""
        return name in self._found and not self.names(name)


NONE = Directives({})


def of(fields: Fields) -> Directives:
    """The Cache-Control of a message."""
    return parse(fields.all("cache-control"))


def parse(values: Sequence[str]) -> Directives:
    """Field lines to directives. Never fails."""
    if len(values) == 1:
        return _line(values[0])
    if not values:
        return NONE
    found: dict[str, list[str | None]] = {}
    for value in values:
        for name, arguments in _line(value)._found.items():
            found.setdefault(name, []).extend(arguments)
    return Directives({name: tuple(arguments) for name, arguments in found.items()})


def _line(value: str) -> Directives:
    # Only short lines are remembered, so that odd clients cannot fill the memory with long ones.
    return _remembered(value) if len(value) <= LONGEST_REMEMBERED else _read(value)


@lru_cache(maxsize=4096)
def _remembered(value: str) -> Directives:
    return _read(value)


def _read(value: str) -> Directives:
    found: dict[str, list[str | None]] = {}
    for member in split_list(value):
        name, equals, argument = member.partition("=")
        key = name.strip().lower()
        if not key:
            continue
        given: str | None = None
        if equals:
            quoted = _QUOTED.fullmatch(argument)
            given = _ESCAPED.sub(r"\1", quoted[1]) if quoted else argument
            if name[-1:].isspace():
                given = f" {given}"  # no space is allowed before "=", so this is no delta-seconds
        found.setdefault(key, []).append(given)
    return Directives({name: tuple(arguments) for name, arguments in found.items()})


def split_list(value: str) -> list[str]:
    """Members of a comma-separated list, stripped and not empty. A quote that is never closed is an ordinary character."""
    parts: list[str] = []
    begin = position = 0
    while stop := _STOP.search(value, position):
        if stop[0] == ",":
            parts.append(value[begin : stop.start()])
            begin = position = stop.end()
        elif closed := _QUOTED.match(value, stop.start()):
            position = closed.end()
        else:
            rest = value[stop.start() :].split(",")
            parts.append(value[begin : stop.start()] + rest[0])
            parts += rest[1:]
            begin = len(value)
            break
    parts.append(value[begin:])
    return [member for part in parts if (member := part.strip())]
