"""The table of announced prefixes: which sites announced what covers an address, most specific first.

It does not rank and knows no health. One hash table for each length of prefix, as in Waldvogel et al., "Scalable High Speed
IP Routing Lookups" (SIGCOMM 1997), without their binary search over lengths: every length that matches is wanted here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nodes.steering.routes import Address, Network, Route

_BITS = {4: 32, 6: 128}
_Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Announced:
    """A site's route. `speaker` is who told of it: a site may have several BGP routers."""

    site: str
    speaker: str
    route: Route


class Prefixes:
    """Routes by prefix. Each speaker's routes are replaced as a whole, which a failed report never begins."""

    def __init__(self) -> None:
        self._tables: dict[int, dict[int, dict[int, list[Announced]]]] = {4: {}, 6: {}}
        self._lengths: dict[int, tuple[int, ...]] = {4: (), 6: ()}
        self._told: dict[str, dict[_Key, Announced]] = {}
        self._starts: dict[int, list[tuple[int, int]]] | None = None

    def __len__(self) -> int:
        return sum(len(table) for lengths in self._tables.values() for table in lengths.values())

    def of(self, speaker: str) -> list[Route]:
        """What a speaker told last."""
        return [one.route for one in self._told.get(speaker, {}).values()]

    def replace(self, site: str, speaker: str, routes: Iterable[Route]) -> int:
        """These are all the routes that a speaker of a site has now; of two for one prefix the nearer stays. Gives how many
        prefixes changed: what stays as it was costs nothing but the comparison."""
        new: dict[_Key, Announced] = {}
        for route in routes:
            key = _key(route.prefix)
            if key not in new or route.distance < new[key].route.distance:
                new[key] = Announced(site, speaker, route)
        old = self._told.get(speaker, {})
        gone = [key for key, one in old.items() if new.get(key) != one]
        come = [key for key, one in new.items() if old.get(key) != one]
        for key in gone:
            self._remove(key, old[key])
        for key in come:
            self._insert(key, new[key])
        if new:
            self._told[speaker] = new
        else:
            self._told.pop(speaker, None)
        if gone or come:
            self._starts = None
            self._lengths = {version: tuple(sorted(tables, reverse=True)) for version, tables in self._tables.items()}
        return len(set(gone) | set(come))

    def covering(self, address: Address) -> Iterator[tuple[int, list[Announced]]]:
        """(length, who announced it, nearest first) of each announced prefix that covers an address, the longest first."""
        version, number = address.version, int(address)
        tables, bits = self._tables[version], _BITS[version]
        for length in self._lengths[version]:
            found = tables[length].get(number >> (bits - length))
            if found is not None:
                yield length, found

    def scope(self, address: Address) -> int:
        """The shortest length of a prefix of `address` all of whose addresses have the same covering prefixes: for how large
        a part of the net an answer to this address holds (SCOPE PREFIX-LENGTH of RFC 7871, section 7.2.1)."""
        version, bits = address.version, _BITS[address.version]
        shortest = next((length for length, _ in self.covering(address)), 0)
        starts = self._sorted()[version]
        for length in range(shortest, bits):
            first = int(address) >> (bits - length) << (bits - length)
            last = first + (1 << (bits - length)) - 1
            place = bisect_left(starts, (first, 0))
            while place < len(starts) and starts[place][0] <= last and starts[place][1] <= length:
                place += 1
            if place == len(starts) or starts[place][0] > last:
                return length
        return bits

    def _sorted(self) -> dict[int, list[tuple[int, int]]]:
        if self._starts is None:
            self._starts = {
                version: sorted(
                    (high << (_BITS[version] - length), length) for length, table in tables.items() for high in table)
                for version, tables in self._tables.items()
            }
        return self._starts

    def _insert(self, key: _Key, one: Announced) -> None:
        version, length, high = key
        rows = self._tables[version].setdefault(length, {}).setdefault(high, [])
        rows.append(one)
        rows.sort(key=_order)

    def _remove(self, key: _Key, one: Announced) -> None:
        version, length, high = key
        rows = self._tables[version][length][high]
        rows.remove(one)
        if not rows:
            del self._tables[version][length][high]
            if not self._tables[version][length]:
                del self._tables[version][length]


def _key(prefix: Network) -> _Key:
    length = prefix.prefixlen
    return prefix.version, length, int(prefix.network_address) >> (_BITS[prefix.version] - length)


def _order(one: Announced) -> tuple[int, float, str, str]:
    return *one.route.distance, one.site, one.speaker
