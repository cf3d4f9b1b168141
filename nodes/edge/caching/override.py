"""What a routing rule says about freshness in place of the response.

It never makes storable what the origin forbids: no-store, private, no-cache, must-revalidate and Authorization hold.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Override:
    """None: as the response says. `ttl_s` replaces s-maxage, max-age, Expires and any heuristic.

    `stale_while_revalidate_s` and `stale_if_error_s` replace the directives of RFC 5861 with these names.
    `heuristics` False: a response that states no lifetime has none (RFC 9111, section 4.2.2 is optional).
    """

    ttl_s: float | None = None
    stale_while_revalidate_s: float | None = None
    stale_if_error_s: float | None = None
    heuristics: bool = True


NO_OVERRIDE = Override()
