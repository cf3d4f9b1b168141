"""Which of the stored responses for a URI belongs to a request (RFC 9111, section 4.1).

It does not ask whether that one is fresh; `reuse.py` does.
"""

from __future__ import annotations

from collections.abc import Sequence

from nodes.edge.caching.facts import facts_of, vary_names
from nodes.edge.caching.normalise import normalised
from nodes.edge.stored import Stored
from nodes.http.message import Fields


def select(request: Fields, stored: Sequence[Stored]) -> Stored | None:
    """The response that matches the request, the newest by its Date; None when none matches.

    One with Vary goes before one without: some resources leave it out where nothing was asked for (section 4.1).
    """
    best: Stored | None = None
    best_rank: tuple[bool, float, float] | None = None
    for candidate in stored:
        facts = facts_of(candidate)
        names = facts.vary_names
        if names is None or (names and _values(request, names) != candidate.vary):
            continue
        rank = (bool(names), facts.date_s, candidate.received_s)
        if best_rank is None or rank > best_rank:
            best, best_rank = candidate, rank
    return best


def varies(stored: Sequence[Stored]) -> bool:
    """Whether the request's fields decide which of these it gets."""
    return any(facts_of(one).vary_names for one in stored)


def vary_values(request: Fields, response: Fields) -> tuple[tuple[str, str], ...] | None:
    """What chooses this response: the request's fields that its Vary names, normalised. None for `*`.

    A field that the request lacks is left out, so that it matches only where it is absent too.
    """
    names = vary_names(response)
    return None if names is None else _values(request, names)


def _values(request: Fields, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, normalised(name, value)) for name in names if (value := request.get(name)) is not None)
