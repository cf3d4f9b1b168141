"""Texts with places for parts of the request: `https://{host}{path}{?query}`.

It fills places; it is no language. A `{` that opens no known place is an error when the rules are read, never later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

NAMES = ("scheme", "host", "path", "query", "?query", "method")
"""`query` is what stands behind the question mark; `?query` is the same with it, or nothing when there is no query."""

_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Template:
    """Fixed texts and, between them, names of what is filled in."""

    texts: tuple[str, ...]
    places: tuple[str, ...]

    def fill(self, values: Mapping[str, str] | Callable[[str], str]) -> str:
        """The text, with the value of every name."""
        if not self.places:
            return self.texts[0]
        look = values if callable(values) else values.__getitem__
        parts = [self.texts[0]]
        for place, text in zip(self.places, self.texts[1:], strict=True):
            parts += (look(place), text)
        return "".join(parts)


def template(text: str, more: tuple[str, ...] = ()) -> Template:
    """A template that may use the usual names and `more`. Raises ValueError."""
    known, texts, places, end = (*NAMES, *more), [""], list[str](), 0
    for match in _PLACE.finditer(text):
        texts[-1] += text[end : match.start()]
        end = match.end()
        name = match.group(1)
        if match.group(0) in ("{{", "}}"):
            texts[-1] += match.group(0)[0]
        elif name in known:
            places.append(name)
            texts.append("")
        else:
            names = ", ".join(f"{{{one}}}" for one in known)
            raise ValueError(f"'{text}' has {match.group(0)!r}; known are {names}, and {{{{ for a brace")
    texts[-1] += text[end:]
    return Template(tuple(texts), tuple(places))
