"""Which field governs a response: CDN-Cache-Control (RFC 9213), else Surrogate-Control, if valid, else Cache-Control.

It does not say what follows from the directives.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodes.edge.caching import surrogate
from nodes.edge.caching.directives import Directives, of
from nodes.http.message import Fields
from nodes.http.structured import Malformed, Token, parse_dictionary

TARGETS = ("cdn-cache-control",)
"""The fields this edge obeys, the first valid one that is not empty (RFC 9213, section 2.2)."""

_SECONDS = frozenset(("max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"))


@dataclass(frozen=True, slots=True)
class Policy:
    """`targeted`: Cache-Control and Expires of this response are to be ignored (RFC 9213, section 2.2)."""

    directives: Directives
    targeted: bool


def policy(fields: Fields) -> Policy:
    """The directives that this cache obeys for a response with these fields."""
    for name in TARGETS:
        if name in fields and (found := targeted(fields.get(name) or "")) is not None:
            return Policy(found, True)
    if "surrogate-control" in fields and (own := surrogate.directives_of(fields.get("surrogate-control") or "")):
        return Policy(own, True)
    return Policy(of(fields), False)


def targeted(value: str) -> Directives | None:
    """The members of a targeted field; None when it is empty or not a dictionary (RFC 9213, section 2.1).

    A member of a type that its directive cannot have is dropped, such as max-age="60": section 2.1 warns of coercion.
    """
    try:
        members = parse_dictionary(value)
    except Malformed:
        return None
    if not members:
        return None
    found: dict[str, tuple[str | None, ...]] = {}
    for name, (item, _) in members.items():
        if name in _SECONDS:
            if type(item) is int:
                found[name] = (str(item),)
        elif item is True:
            found[name] = (None,)
        elif isinstance(item, str | Token):
            found[name] = (str(item),)
    return Directives(found)
