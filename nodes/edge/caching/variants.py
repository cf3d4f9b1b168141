"""Which of the stored responses for a URI belongs to a request (RFC 9111, section 4.1).

It does not ask whether that one is fresh; `reuse.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nodes.edge.caching.lifetime import date_s
from nodes.edge.caching.normalise import normalised
from nodes.edge.stored import Stored
from nodes.http.message import Fields

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


def vary_names(response: Fields) -> tuple[str, ...] | None:
    """The field names that Vary lists, lower case and in order; None when one is `*` or no name: it matches nothing."""
    if "vary" not in response:
        return ()
    names = sorted(set(response.tokens("vary")))
    return None if any(name == "*" or not _NAME.fullmatch(name) for name in names) else tuple(names)


def vary_values(request: Fields, response: Fields) -> tuple[tuple[str, str], ...] | None:
    """What chooses this response: the request's fields that its Vary names, normalised. None for `*`.

    A field that the request lacks is left out, so that it matches only where it is absent too.
    """
    names = vary_names(response)
    return None if names is None else _values(request, names)


def variant_key(primary: str, vary: Sequence[tuple[str, str]]) -> str:
    """A key for one variant; the primary key itself when nothing varies."""
    return primary + "".join(f"\n{name}: {value}" for name, value in vary)


def select(request: Fields, stored: Sequence[Stored]) -> Stored | None:
    """The response that matches the request, the newest by its Date; None when none matches.

    One with Vary goes before one without: some resources leave it out where nothing was asked for (section 4.1).
    """
    if len(stored) == 1 and not stored[0].vary and "vary" not in stored[0].headers:
        return stored[0]
    best: Stored | None = None
    best_rank: tuple[bool, float, float] | None = None
    for candidate in stored:
        fields = candidate.headers
        names = vary_names(fields)
        if names is None or _values(request, names) != candidate.vary:
            continue
        rank = (bool(names), date_s(fields, candidate.received_s), candidate.received_s)
        if best_rank is None or rank > best_rank:
            best, best_rank = candidate, rank
    return best


def _values(request: Fields, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, normalised(name, value)) for name in names if (value := request.get(name)) is not None)
