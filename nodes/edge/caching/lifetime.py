"""How long a response is fresh (RFC 9111, section 4.2.1 and 4.2.2), for a shared cache.

It knows nothing of ages: whether the lifetime is over is decided in `reuse.py`.
"""

from __future__ import annotations

from nodes.edge.caching.override import NO_OVERRIDE, Override
from nodes.edge.caching.policy import Policy, policy
from nodes.edge.stored import Stored
from nodes.http.dates import parse_date
from nodes.http.message import Fields

HEURISTIC_STATUSES = frozenset((200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501))
"""Heuristically cacheable: RFC 9110, section 15.1."""

HEURISTIC_FRACTION = 0.1
"""Of the time since the last modification: the typical setting that section 4.2.2 names."""

HEURISTIC_LIMIT_S = 86400.0
"""Longer is not guessed; section 4.2.2 left it to the cache."""


def lifetime_s(stored: Stored, override: Override | None = None) -> float:
    """Seconds from the moment the origin made or validated the response until it is stale; 0 when none is known."""
    fields = stored.headers
    return lifetime_of_s(stored.status, fields, policy(fields), stored.received_s, override)


def lifetime_of_s(
    status: int, fields: Fields, rules: Policy, received_s: float, override: Override | None = None
) -> float:  # fmt: skip
    """The same, for a response that is not stored (yet)."""
    override = override or NO_OVERRIDE
    if override.ttl_s is not None:
        return override.ttl_s
    explicit = explicit_s(fields, rules, received_s)
    if explicit is not None:
        return max(0.0, explicit)
    return heuristic_s(status, fields, rules, received_s) if override.heuristics else 0.0


def explicit_s(fields: Fields, rules: Policy, received_s: float) -> float | None:
    """The lifetime that the response states (section 4.2.1), None when it states none; not above 0: stale at once."""
    for name in ("s-maxage", "max-age"):
        seconds = rules.directives.seconds(name)
        if seconds is not None:
            return float(seconds)
    expires = fields.all("expires")
    if rules.targeted or not expires:
        return None
    at = parse_date(expires[0])  # of several, the first: section 4.2.1
    return 0.0 if at is None else at - date_s(fields, received_s)  # an invalid date is one in the past: section 5.3


def heuristic_s(status: int, fields: Fields, rules: Policy, received_s: float) -> float:
    """Section 4.2.2; to be used only when no explicit lifetime is stated."""
    if status not in HEURISTIC_STATUSES and not rules.directives.has("public"):
        return 0.0
    modified = parse_date(fields.get("last-modified"))
    if modified is None:
        return 0.0
    return min(HEURISTIC_LIMIT_S, max(0.0, HEURISTIC_FRACTION * (date_s(fields, received_s) - modified)))


def date_s(fields: Fields, received_s: float) -> float:
    """The Date of a response; without a valid one, when it was received (RFC 9110, section 6.6.1)."""
    dates = fields.all("date")
    date = parse_date(dates[0]) if dates else None
    return received_s if date is None else date
