"""What a stored response says about its reuse, worked out once for each stored response.

It holds no decision that depends on the time or on a request; `reuse.py` makes those from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nodes.edge.caching.age import initial_age_s
from nodes.edge.caching.lifetime import date_s, explicit_s, heuristic_s
from nodes.edge.caching.policy import policy
from nodes.edge.stored import Stored
from nodes.http.message import Fields

REMEMBERED = 8192
"""Stored responses whose facts are kept; beyond it all are forgotten and worked out again as they are used."""

REMEMBERED_BYTES = 24 * 1024 * 1024
"""Likewise by the `weight_bytes` of all of them, because they are held too: 3 KiB each, which a usual dozen of fields needs."""

_STRICT = ("must-revalidate", "proxy-revalidate", "s-maxage")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class Facts:
    """`explicit_s` None: no lifetime is stated. `stale_*_s` None: the directive is absent.

    `strict`: it may not be used stale, whatever happens (RFC 9111, section 4.2.4, 5.2.2.2, 5.2.2.8 and 5.2.2.10).
    `vary_names`: None when Vary lets it match nothing.
    `no_cache`: it may not be used at all without validation (5.2.2.4). `no_cache_fields`: these fields of it may not.
    """

    received_s: float
    date_s: float
    vary_names: tuple[str, ...] | None
    initial_age_s: float
    explicit_s: float | None
    heuristic_s: float
    strict: bool
    no_cache: bool
    no_cache_fields: tuple[str, ...]
    immutable: bool
    stale_while_revalidate_s: int | None
    stale_if_error_s: int | None


def work_out(stored: Stored) -> Facts:
    """The facts, read from the fields."""
    fields = stored.headers
    rules = policy(fields)
    directives = rules.directives
    return Facts(
        received_s=stored.received_s,
        date_s=date_s(fields, stored.received_s),
        vary_names=vary_names(fields),
        initial_age_s=initial_age_s(fields, stored.requested_s, stored.received_s),
        explicit_s=explicit_s(fields, rules, stored.received_s),
        heuristic_s=heuristic_s(stored.status, fields, rules, stored.received_s),
        strict=any(directives.has(name) for name in _STRICT),
        no_cache=directives.unqualified("no-cache"),
        no_cache_fields=directives.names("no-cache"),
        immutable=directives.has("immutable"),
        stale_while_revalidate_s=directives.seconds("stale-while-revalidate"),
        stale_if_error_s=directives.seconds("stale-if-error"),
    )


def vary_names(response: Fields) -> tuple[str, ...] | None:
    """The field names that Vary lists, lower case and in order; None when one is `*` or no name: it matches nothing."""
    names = sorted(set(response.tokens("vary")))
    return None if any(name == "*" or not _NAME.fullmatch(name) for name in names) else tuple(names)


class Remembered:
    """Facts by the very object they are of; it is a value, so they cannot change."""

    def __init__(self, most: int = REMEMBERED, most_bytes: int = REMEMBERED_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._known: dict[int, tuple[Stored, Facts]] = {}
        self.weight_bytes = 0
        """Of the objects that are held."""

    def __len__(self) -> int:
        return len(self._known)

    def facts(self, stored: Stored) -> Facts:
        """The facts, from memory when this object was asked about before."""
        known = self._known.get(id(stored))
        if known is not None:
            return known[1]
        weight = stored.weight_bytes
        if len(self._known) >= self._most or self.weight_bytes + weight > self._most_bytes:
            self._known.clear()
            self.weight_bytes = 0
        facts = work_out(stored)
        self._known[id(stored)] = (stored, facts)  # holding the object keeps its id from being given to another
        self.weight_bytes += weight
        return facts


facts_of = Remembered().facts
