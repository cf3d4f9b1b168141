"""Answers that a resolver keeps, each for the clients and the time that it holds for (RFC 1035, RFC 2308, RFC 7871, 7.3).

It asks nobody and reads no clock: the time comes with each call.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Key = tuple[str, str]
"""Name in lower case, and type."""


@dataclass(frozen=True)
class Kept:
    """What a server said: for clients in `scope` (None: for everybody), until `until_s`. `records` are (type, value)."""

    rcode: str
    records: tuple[tuple[str, str], ...]
    scope: Network | None
    until_s: float

    def holds(self, client: Address, now_s: float) -> bool:
        """Whether it is an answer for this client now."""
        inside = self.scope is None or (self.scope.version == client.version and client in self.scope)
        return inside and now_s < self.until_s


class Answers:
    """At most `most` questions; the one asked longest ago goes first."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._kept: dict[Key, list[Kept]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def find(self, key: Key, client: Address, now_s: float) -> Kept | None:
        """The answer for the smallest network around the client, if one is kept that holds."""
        found = [one for one in self._kept.get(key, ()) if one.holds(client, now_s)]
        return max(found, key=lambda one: -1 if one.scope is None else one.scope.prefixlen, default=None)

    def put(self, key: Key, answer: Kept, now_s: float) -> None:
        """Keep an answer; what it was for before is forgotten, and so is what no longer holds."""
        others = [one for one in self._kept.pop(key, ()) if one.until_s > now_s and one.scope != answer.scope]
        if answer.until_s > now_s:
            others.append(answer)
        if others:
            self._kept[key] = others
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


def scope_of(client: Address, told_bits: int, scope_bits: int | None) -> Network | None:
    """For whom an answer holds: `told_bits` of the client's address were told, and the server said `scope_bits` (None: it said
    nothing of clients). A scope longer than what was told says nothing of addresses that it did not see (section 7.3.1)."""
    if not told_bits or not scope_bits:
        return None
    return ipaddress.ip_network((client, min(told_bits, scope_bits)), strict=False)
