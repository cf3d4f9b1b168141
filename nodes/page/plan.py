"""A page and how far its load has come: which objects may be asked for now. Pure: it takes and gives names.

An object is known, and so asked for, when all that it comes `after` has arrived, in the order of the page: the HTML first, then
what the HTML names, then what the style sheets and scripts among these name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class PageError(ValueError):
    """A page that cannot be loaded as it is described; the message names the object and what is wrong."""


@dataclass(frozen=True)
class Item:
    """One object: a name of its own, its URL, the names of those that it comes after, and the sha-256 it should have."""

    name: str
    url: str
    after: tuple[str, ...] = ()
    sha256: str | None = None


def parse(raw: object) -> tuple[Item, ...]:
    """Items from a list of objects {`url`, optional `name` (default: the URL), `after`, `sha256`}. Raises PageError."""
    if not isinstance(raw, list) or not raw:
        raise PageError("the page is no list of objects")
    return checked([_item(one, number) for number, one in enumerate(raw, 1)])


def checked(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items, if each can come at some time. Raises PageError."""
    names = [item.name for item in items]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PageError(f"there are two objects called {twice[0]}; give them names")
    for item in items:
        if unknown := [name for name in item.after if name not in names]:
            raise PageError(f"{item.name} comes after {unknown[0]}, which is no object of the page")
    known: set[str] = set()
    while found := {item.name for item in items if item.name not in known and known >= set(item.after)}:
        known |= found
    if left := [name for name in names if name not in known]:
        raise PageError(f"{left[0]} comes after itself, by way of others: it would never be asked for")
    return tuple(items)


class Plan:
    """A load in progress. `due` names what may be asked for now and counts it as asked for."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._waiting = list(items)
        self._arrived: set[str] = set()
        self._asked = 0

    def due(self) -> list[Item]:
        """What is newly known, in the order of the page."""
        found = [item for item in self._waiting if self._arrived >= set(item.after)]
        self._waiting = [item for item in self._waiting if item not in found]
        self._asked += len(found)
        return found

    def arrived(self, name: str) -> None:
        """An object is whole."""
        self._arrived.add(name)

    @property
    def complete(self) -> bool:
        """Whether everything has arrived."""
        return not self._waiting and self._asked == len(self._arrived)


def synthetic(
    base: str, html_bytes: int, objects: Sequence[int], second_level: int = 0, tag: str = "page"
) -> list[dict[str, Any]]:
    """A page of generated objects at an origin: HTML, then `objects` (their sizes) after it, of which the last `second_level`
    come after the first of them (a style sheet) instead. In the form that `parse` takes."""
    if not 0 <= second_level < max(1, len(objects)):
        raise PageError(f"{second_level} of {len(objects)} objects cannot come after the first of them")
    html = {"name": "html", "url": f"{base}/objects/{html_bytes}B/{tag}-html"}
    first = len(objects) - second_level
    return [html] + [{"name": f"{number}", "url": f"{base}/objects/{size}B/{tag}-{number}",
                      "after": ["html"] if number <= first else ["1"]} for number, size in enumerate(objects, 1)]  # fmt: skip


def _item(raw: object, number: int) -> Item:
    if not isinstance(raw, Mapping):
        raise PageError(f"object {number} is no object with a url")
    unknown = sorted(set(raw) - {"name", "url", "after", "sha256"})
    if unknown:
        raise PageError(f"object {number} has {unknown[0]!r}; allowed are name, url, after, sha256")
    url, after, digest = raw.get("url"), raw.get("after", []), raw.get("sha256")
    if not isinstance(url, str) or not re.match(r"https?://", url):
        raise PageError(f"object {number}: url {url!r} begins with neither http:// nor https://")
    if not isinstance(after, list) or not all(isinstance(one, str) for one in after):
        raise PageError(f"object {number}: after is no list of names")
    if digest is not None and not (isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)):
        raise PageError(f"object {number}: sha256 {digest!r} is not 64 hexadecimal digits")
    return Item(str(raw.get("name", url)), url, tuple(after), digest)
