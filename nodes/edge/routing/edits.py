"""Header edits of a rule: remove, set and add, in this order. They never touch the fields that frame a message.

It edits fields only; it does not know what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nodes.edge.routing.table import Table
from nodes.edge.routing.templates import Template, template
from nodes.http.message import HOP_BY_HOP, Fields

KEYS = ("set", "add", "remove")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?|")
UNTOUCHED = HOP_BY_HOP | {"content-length", "content-range", "via", "cdn-loop", "cache-status", "age", "date", "expect"}
"""What frames or dates a message, or tells its way: the edge answers for these itself."""


@dataclass(frozen=True, slots=True)
class Edits:
    """`removed` are lower case; `put` replaces every line of its name, `added` is one more line."""

    removed: tuple[str, ...] = ()
    put: tuple[tuple[str, Template], ...] = ()
    added: tuple[tuple[str, Template], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.put or self.added)

    @property
    def by_client(self) -> bool:
        """Whether the client's address is put into a field."""
        return any("client" in value.places for _, value in (*self.put, *self.added))

    def apply(self, fields: Fields, values: Mapping[str, str]) -> None:
        """Change the fields in place."""
        if self.removed or self.put:
            fields.drop(*self.removed, *(name for name, _ in self.put))
        for name, value in (*self.put, *self.added):
            fields.add(name, value.fill(values))


def edits(table: Table | None, more: tuple[str, ...], forbidden: Mapping[str, str]) -> Edits:
    """The edits that a table states. `more` are places its values may use beside the usual, `forbidden` are names (lower case)
    with what to do instead. Raises RulesError."""
    if table is None:
        return Edits()
    table.only(*KEYS)
    removed = table.texts("remove")
    for name in removed:
        _check(table, "remove", name, forbidden)
    return Edits(tuple(sorted({name.lower() for name in removed})), _values(table, "set", more, forbidden),
                 _values(table, "add", more, forbidden))  # fmt: skip


def _values(table: Table, key: str, more: tuple[str, ...], forbidden: Mapping[str, str]) -> tuple[tuple[str, Template], ...]:
    inner, found = table.table(key), []
    for name, value in ({} if inner is None else inner.values).items():
        assert inner is not None
        _check(inner, name, name, forbidden)
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            inner.wrong(name, value, "a text in quotes without line breaks, and no space at its ends")
        found.append((name, inner.made(name, lambda text: template(text, more), value)))
    return tuple(found)


def _check(table: Table, key: str, name: str, forbidden: Mapping[str, str]) -> None:
    if not _TOKEN.fullmatch(name):
        table.wrong(key, name, "the name of a header field")
    if name.lower() in forbidden:
        table.wrong(key, name, forbidden[name.lower()])
    if name.lower() in UNTOUCHED:
        table.wrong(key, name, "any field but those the edge answers for itself: " + ", ".join(sorted(UNTOUCHED)))
