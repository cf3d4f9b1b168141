"""What was purged and when, so that whatever was stored before is not used again, wherever it still lies.

It touches no disk: it gives the lines of its file and reads them. It is Varnish's ban list: a purge is ordered once, and
each object is held against it when it is next looked at. Orders are numbered, and every object knows how many there had
been when its bytes were asked for; clocks, which may be set back, decide nothing. The times are for people.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from nodes.edge.stored import Stored
from nodes.http.message import Fields

KEYED = ("keyed-uri", "keyed-prefix", "keyed-group")
"""Orders that look at keys, not at origins: an object whose key has no host answers for other hosts than it was asked of."""


MOST = 50_000
"""Orders that are remembered one by one. Unsafe requests give them, so clients could fill the memory with them before the next
sweep; one more than this is an order of everything, which reaches more than was asked for and never less."""

LONGEST_KEPT = 200
"""Characters of a URI that are kept as they are; of a longer one, which any client can make up, a digest is."""


class PurgesError(ValueError):
    """The list is damaged, so that nobody knows what was purged."""


@dataclass
class Purges:
    """`count` orders have been given. `groups_of` tells the groups a response belongs to (RFC 9875)."""

    groups_of: Callable[[Fields], Iterable[str]]
    count: int = 0
    everything: int = 0
    uris: dict[str, int] = field(default_factory=dict)
    prefixes: dict[str, int] = field(default_factory=dict)
    groups: dict[tuple[str, str], int] = field(default_factory=dict)
    keyed: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in KEYED})

    def order(self, kind: str, value: str, now_s: float) -> bytes:
        """One more: `uri`, `prefix`, `group` (origin, space, name), one of KEYED (see `keyed`), or `everything`.

        Gives its line for the file.
        """
        if len(self) >= MOST:
            kind, value = "everything", ""
        self.count += 1
        self._take(kind, value, self.count)
        return _line([kind, value, self.count, round(now_s, 3)])

    def reach(self, stored: Stored, purges: int) -> bool:
        """Whether an object was purged, whose bytes were asked for after so many orders."""
        if purges >= self.count:
            return False
        if self.everything > purges or self.uris.get(_short(stored.uri), 0) > purges:
            return True
        if any(number > purges and stored.uri.startswith(prefix) for prefix, number in self.prefixes.items()):
            return True
        if any(self.keyed.values()) and self._by_key(stored, purges):
            return True
        if not self.groups:
            return False
        origin = origin_of(stored.uri)
        return any(self.groups.get((origin, group), 0) > purges for group in self.groups_of(stored.headers))

    def _by_key(self, stored: Stored, purges: int) -> bool:
        start = origin_of(stored.primary)
        uri = keyed(start, path_of(stored.uri))
        uris, prefixes, groups = (self.keyed[kind] for kind in KEYED)
        if uris.get(_short(uri), 0) > purges:
            return True
        if any(number > purges and uri.startswith(prefix) for prefix, number in prefixes.items()):
            return True
        return bool(groups) and any(groups.get(keyed(start, group), 0) > purges for group in self.groups_of(stored.headers))

    def copy(self) -> Purges:
        """As it is now."""
        return replace(self, uris=dict(self.uris), prefixes=dict(self.prefixes), groups=dict(self.groups),
                       keyed={kind: dict(orders) for kind, orders in self.keyed.items()})  # fmt: skip

    def __len__(self) -> int:
        return len(self.uris) + len(self.prefixes) + len(self.groups) + sum(map(len, self.keyed.values()))

    def forget(self, count: int) -> None:
        """No object is left from before so many orders."""
        self.uris = {key: number for key, number in self.uris.items() if number > count}
        self.prefixes = {key: number for key, number in self.prefixes.items() if number > count}
        self.groups = {key: number for key, number in self.groups.items() if number > count}
        for kind, orders in self.keyed.items():
            self.keyed[kind] = {key: number for key, number in orders.items() if number > count}

    def reset(self) -> None:
        """Nothing was ever purged, because nothing is there."""
        self.count = self.everything = 0
        self.uris, self.prefixes, self.groups = {}, {}, {}
        self.keyed = {kind: {} for kind in KEYED}

    def lines(self, now_s: float) -> bytes:
        """The whole file."""
        told = [("everything", "", self.everything)]
        told += [("uri", uri, number) for uri, number in self.uris.items()]
        told += [("prefix", prefix, number) for prefix, number in self.prefixes.items()]
        told += [("group", f"{origin} {group}", number) for (origin, group), number in self.groups.items()]
        told += [(kind, value, number) for kind, orders in self.keyed.items() for value, number in orders.items()]
        ordered = [[kind, value, number, round(now_s, 3)] for kind, value, number in told]
        return b"".join(map(_line, [["count", "", self.count, round(now_s, 3)], *ordered]))

    def read(self, data: bytes) -> None:
        """Take up what a file says. An unfinished last line was never acknowledged. Raises PurgesError."""
        whole, _, _ = data.rpartition(b"\n")
        for line in whole.split(b"\n") if whole else []:
            checksum, _, text = line.partition(b" ")
            if checksum != _checksum(text):
                raise PurgesError("the list of purges is damaged")
            try:
                kind, value, number, _ = json.loads(text)
            except (ValueError, TypeError, RecursionError) as error:
                raise PurgesError("the list of purges has a line that is no order") from error
            if not (isinstance(kind, str) and isinstance(value, str) and type(number) is int):
                raise PurgesError("the list of purges has a line of other kinds of values")
            self._take(kind, value, number)
            self.count = max(self.count, number)

    def _take(self, kind: str, value: str, number: int) -> None:
        if kind == "uri":
            self.uris[_short(value)] = number
        elif kind == "prefix":
            self.prefixes[value] = number
        elif kind == "group":
            origin, _, group = value.partition(" ")
            self.groups[(origin, group)] = number
        elif kind in KEYED:
            self.keyed[kind][_short(value) if kind == "keyed-uri" else value] = number
        elif kind == "everything":
            self.everything = number
            self.forget(number)
        elif kind != "count":
            raise PurgesError(f"the list of purges has a line of kind '{kind}'")


def origin_of(uri: str) -> str:
    """Scheme and authority, as groups are compared (RFC 9875, section 2)."""
    return "/".join(uri.split("/", 3)[:3]).lower()


def path_of(uri: str) -> str:
    """What follows the origin."""
    return "".join(f"/{rest}" for rest in uri.split("/", 3)[3:])


def keyed(start: str, what: str) -> str:
    """The value of an order by key: what the key begins with up to its path, and a path, its beginning, or a group."""
    return f"{start.lower()}\t{what}"


def _short(uri: str) -> str:
    if len(uri) <= LONGEST_KEPT:
        return uri
    return "#" + hashlib.blake2b(uri.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _line(value: list[object]) -> bytes:
    text = json.dumps(value, separators=(",", ":")).encode()
    return _checksum(text) + b" " + text + b"\n"


def _checksum(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)
