"""The files that edges store, by edge and by file: 18 bytes for each, so that a million of them are no burden.

It keeps no names: of a title only a 64-bit digest is known here, so it can say who has a file, not which files somebody
has. Two titles of a million meet in one digest with a chance of 3 in 100 million.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

MOST_CHANGED = 32
"""So many edges are looked at one by one before the common index is made anew, which takes 0.1 s for a million files."""


def digest(title: str) -> int:
    """64 bits of a title."""
    return int.from_bytes(hashlib.blake2b(title.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class Files:
    """Sorted digests: an array for each edge, and one of all with the number of the edge beside each."""

    def __init__(self) -> None:
        self._held: dict[str, array[int]] = {}
        self._names: list[str] = []
        self._all: array[int] = array("Q")
        self._whose: array[int] = array("I")
        self._changed: set[str] = set()
        """Edges whose arrays are newer than the index."""

    def __len__(self) -> int:
        """Files of all edges together; one on two edges counts twice."""
        return sum(map(len, self._held.values()))

    def count(self, edge: str) -> int:
        """How many files an edge has."""
        return len(self._held.get(edge, ()))

    def holders(self, title: str) -> set[str]:
        """The edges that have a title."""
        wanted = digest(title)
        if len(self._changed) > MOST_CHANGED:
            self._index()
        found = {edge for edge in self._changed if self._has(edge, wanted)}
        place = bisect_left(self._all, wanted)
        while place < len(self._all) and self._all[place] == wanted:
            edge = self._names[self._whose[place]]
            if edge not in self._changed:
                found.add(edge)
            place += 1
        return found

    def replace(self, edge: str, titles: Iterable[str]) -> None:
        """These are all the files of an edge."""
        self._put(edge, {digest(title) for title in titles})

    def change(self, edge: str, added: Iterable[str], removed: Iterable[str]) -> None:
        """An edge has some files more and some less; one that is in both it has."""
        self._put(edge, set(self._held.get(edge, ())).difference(map(digest, removed)).union(map(digest, added)))

    def _put(self, edge: str, digests: set[int]) -> None:
        held = array("Q", sorted(digests))
        if held != self._held.get(edge):
            self._held[edge] = held
            self._changed.add(edge)

    def _has(self, edge: str, wanted: int) -> bool:
        held = self._held[edge]
        place = bisect_left(held, wanted)
        return place < len(held) and held[place] == wanted

    def _index(self) -> None:
        self._names = list(self._held)
        digests = np.concatenate([np.frombuffer(held, np.uint64) for held in self._held.values()])
        whose = np.repeat(np.arange(len(self._names), dtype=np.uint32), [len(held) for held in self._held.values()])
        order = np.argsort(digests, kind="stable")
        self._all, self._whose = array("Q", digests[order].tobytes()), array("I", whose[order].tobytes())
        self._changed.clear()
