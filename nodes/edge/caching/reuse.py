"""Whether a stored response may answer a request now (RFC 9111, section 4, 4.2.4 and 5.2.1; RFC 5861; RFC 8246).

It does not choose the variant (`variants.py`), nor look at the client's preconditions and ranges (`answering.py`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from nodes.edge.caching.asked import Asked
from nodes.edge.caching.directives import NONE, Directives, of
from nodes.edge.caching.facts import Facts, facts_of
from nodes.edge.caching.override import NO_OVERRIDE, Override
from nodes.edge.stored import Stored

Use = Literal["fresh", "stale", "stale-while-revalidate", "validate", "pass"]

FOREVER_S = float("inf")


class Judgement(NamedTuple):
    """What to do with a stored response.

    `use`: "fresh": serve it. "stale": serve it too, the request allows it (max-stale). "stale-while-revalidate": serve
    it and validate it behind the client's back. "validate": ask the origin with its validators first. "pass": send the
    request on as it is and store nothing of the answer (the request says no-store).
    `why`: the fwd reason of RFC 9211, section 2.2 ("stale" or "request"; empty when nothing is forwarded at all).
    `ttl_s`: what is left of the lifetime, below 0 when it is over. `age_s`: for the Age field.
    `until_s`: this judgement holds for the same request until then, unless the stored response changes.
    `on_error`: it may be served now if the origin fails or cannot be reached.
    `drop_fields`: fields that may not be reused without validation, lower case; leave them out of the answer.
    """

    use: Use
    why: str
    ttl_s: float
    age_s: float
    until_s: float
    on_error: bool
    drop_fields: tuple[str, ...]

    @property
    def serves(self) -> bool:
        """Whether the client can be answered from the stored response at once."""
        return self.use in ("fresh", "stale", "stale-while-revalidate")


def judge(request: Asked, stored: Stored, now_s: float, override: Override | None = None) -> Judgement:
    """For a GET or HEAD. `now_s` is in seconds since 1970."""
    facts = facts_of(stored)
    override = override or NO_OVERRIDE
    age_s = facts.initial_age_s + max(0.0, now_s - facts.received_s)
    ttl_s = _lifetime_s(facts, override) - age_s
    asked = request_directives(request)
    use, why, left_s = _use(facts, override, asked, age_s, ttl_s)
    on_error = _on_error(facts, override, asked, ttl_s)
    return Judgement(use, why, ttl_s, age_s, now_s + left_s, on_error, facts.no_cache_fields)


def only_if_cached(request: Asked) -> bool:
    """Whether the client wants a stored response or 504 (section 5.2.1.7)."""
    return request_directives(request).has("only-if-cached")


def request_directives(request: Asked) -> Directives:
    """The request's Cache-Control; where there is none, `Pragma: no-cache` means no-cache, its one purpose (section 5.4)."""
    fields = request.fields
    if "cache-control" in fields:
        return of(fields)
    if "pragma" in fields and "no-cache" in fields.tokens("pragma"):
        return _PRAGMA
    return NONE


_PRAGMA = Directives({"no-cache": (None,)})


def _lifetime_s(facts: Facts, override: Override) -> float:
    if override.ttl_s is not None:
        return override.ttl_s
    if facts.explicit_s is not None:
        return max(0.0, facts.explicit_s)
    return facts.heuristic_s if override.heuristics else 0.0


def _use(
    facts: Facts, override: Override, asked: Directives, age_s: float, ttl_s: float
) -> tuple[Use, str, float]:  # fmt: skip
    """The use, the reason, and for how many seconds both hold."""
    if asked.has("no-store"):
        return "pass", "request", FOREVER_S
    if asked.has("no-cache"):  # section 5.2.1.4
        return "validate", "request", FOREVER_S
    if facts.no_cache:  # section 5.2.2.4
        return "validate", "stale", FOREVER_S
    left_s = _accepted_s(facts, asked, age_s, ttl_s) if asked else FOREVER_S
    if left_s is None:
        return "validate", "request" if ttl_s > 0 else "stale", FOREVER_S
    if ttl_s > 0:
        return "fresh", "", min(left_s, ttl_s)
    return _stale_use(facts, override, asked, ttl_s, left_s)


def _accepted_s(facts: Facts, asked: Directives, age_s: float, ttl_s: float) -> float | None:
    """For how many seconds the request's max-age and min-fresh accept the response; None when they do not."""
    left_s = FOREVER_S
    youngest, spare = asked.seconds("max-age"), asked.seconds("min-fresh")
    # RFC 8246, section 2: while an immutable response is fresh only no-cache asks for a validation.
    if youngest is not None and not (facts.immutable and ttl_s > 0):
        left_s = youngest - age_s
        if left_s < 0 or youngest == 0:  # section 5.2.1.1
            return None
    if spare is not None:
        if ttl_s < spare:  # section 5.2.1.3
            return None
        left_s = min(left_s, ttl_s - spare)
    return left_s


def _stale_use(
    facts: Facts, override: Override, asked: Directives, ttl_s: float, left_s: float
) -> tuple[Use, str, float]:  # fmt: skip
    """Section 4.2.4: stale, and the origin has not been asked."""
    if facts.strict:
        return "validate", "stale", FOREVER_S
    if asked.has("max-stale"):  # section 5.2.1.2; without an argument: however stale
        limit_s = FOREVER_S if asked.get("max-stale") is None else float(asked.seconds("max-stale") or 0)
        if -ttl_s <= limit_s:
            return "stale", "", min(left_s, limit_s + ttl_s)
    window_s = _chosen(override.stale_while_revalidate_s, facts.stale_while_revalidate_s)
    # Nothing stale with max-age or min-fresh alone (section 5.2.1.1), nor beyond what max-stale allows (5.2.1.2).
    limited = any(asked.has(name) for name in ("max-age", "min-fresh", "max-stale"))
    if window_s is not None and -ttl_s <= window_s and not limited:  # RFC 5861, section 3
        return "stale-while-revalidate", "stale", window_s + ttl_s
    return "validate", "stale", FOREVER_S


def _on_error(facts: Facts, override: Override, asked: Directives, ttl_s: float) -> bool:
    """Whether a failing origin is reason enough to serve it (RFC 9111, section 4.2.4 and 4.3.3; RFC 5861, section 4).

    A disconnected cache may serve what is stale unless a directive forbids it; stale-if-error, where given, is the limit.
    """
    if facts.no_cache:
        return False
    if ttl_s > 0:
        return True
    if facts.strict:
        return False
    limit_s = _chosen(override.stale_if_error_s, facts.stale_if_error_s)
    if limit_s is None:
        return True
    return -ttl_s <= max(limit_s, asked.seconds("stale-if-error") or 0)


def _chosen(ruled: float | None, stated: int | None) -> float | None:
    return ruled if ruled is not None else stated
