"""Whether a response may be stored, and how long it is fresh: the basic rules of RFC 9111 for a shared cache.

It stores nothing. Not here: heuristic freshness (section 4.2.2), stale-while-revalidate, CDN-Cache-Control; without an
explicit lifetime a response is not stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodes.http.dates import parse_date
from nodes.http.message import Fields

LONGEST_S = 2**31
"""Delta-seconds above this are taken as this: RFC 9111, section 1.2.2."""


@dataclass(frozen=True)
class Verdict:
    """`lifetime_s` from the moment the origin made the response; `why` in words when it is not stored."""

    store: bool
    lifetime_s: float = 0.0
    why: str = ""


def directives(value: str | None) -> dict[str, str]:
    """Cache-Control as name -> argument (empty when it has none), names in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for member in _split(value or ""):
        name, _, argument = member.partition("=")
        name = name.strip().lower()
        if name:
            found.setdefault(name, argument.strip().strip('"'))
    return found


def _split(value: str) -> list[str]:
    """Split at commas that stand outside quoted strings."""
    parts, quoted, current = [], False, ""
    for char in value:
        if char == '"':
            quoted = not quoted
        if char == "," and not quoted:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current]


def seconds(argument: str) -> int:
    """Delta-seconds; what is not a number counts as 0, so that the response is stale (section 4.2.1)."""
    return min(int(argument), LONGEST_S) if argument.isascii() and argument.isdigit() else 0


def storable(method: str, request: Fields, status: int, response: Fields) -> Verdict:
    """Section 3, for a shared cache that stores whole 200 responses to GET only."""
    control = directives(response.get("cache-control"))
    reasons = {
        f"method {method}": method != "GET",
        f"status {status}": status != 200,
        "no-store": "no-store" in control,
        "private": "private" in control,
        "no-cache": "no-cache" in control,
        "request no-store": "no-store" in directives(request.get("cache-control")),
        "authorization": "authorization" in request,
        "set-cookie": "set-cookie" in response,
        "vary *": "*" in response.tokens("vary"),
        "content-range": "content-range" in response,
    }
    why = next((text for text, applies in reasons.items() if applies), None)
    if why is not None:
        return Verdict(False, why=why)
    lifetime_s = lifetime(response)
    if lifetime_s is None:
        return Verdict(False, why="no lifetime")
    if lifetime_s <= 0 and not has_validator(response):
        return Verdict(False, why="stale at once")
    return Verdict(True, lifetime_s)


def lifetime(response: Fields) -> float | None:
    """Explicit freshness lifetime in seconds (section 4.2.1), None when the response states none."""
    control = directives(response.get("cache-control"))
    for name in ("s-maxage", "max-age"):
        if name in control:
            return float(seconds(control[name]))
    if "expires" not in response:
        return None
    expires, date = parse_date(response.get("expires")), parse_date(response.get("date"))
    if expires is None:
        return 0.0  # an invalid date, "0" above all, means already expired (section 5.3)
    return float(expires - date) if date is not None else None


def has_validator(response: Fields) -> bool:
    """Whether it can be revalidated."""
    return "etag" in response or "last-modified" in response


def initial_age_s(response: Fields, requested_s: float, received_s: float) -> float:
    """Corrected initial age (section 4.2.3) at `received_s`; both times are seconds since 1970."""
    date = parse_date(response.get("date"))
    apparent = max(0.0, received_s - date) if date is not None else 0.0
    given = response.get("age") or "0"
    corrected = seconds(given.split(",")[0].strip()) + max(0.0, received_s - requested_s)
    return max(apparent if apparent >= 1 else 0.0, corrected)


def current_age_s(initial_s: float, received_s: float, now_s: float) -> float:
    """Section 4.2.3: the initial age plus the time it has rested here."""
    return initial_s + max(0.0, now_s - received_s)


def conditions(stored: Fields) -> list[tuple[str, str]]:
    """The fields that ask an origin whether a stored response is still right (section 4.3.1)."""
    found = []
    if etag := stored.get("etag"):
        found.append(("If-None-Match", etag))
    if modified := stored.get("last-modified"):
        found.append(("If-Modified-Since", modified))
    return found


def refreshed(stored: Fields, answer: Fields) -> Fields:
    """The stored fields updated by a 304 (section 3.2): all but those that describe the content's bytes."""
    skip = {"content-length", "content-encoding", "content-type", "content-range", "repr-digest", "age"}
    fresh = [(name, value) for name, value in answer.items if name.lower() not in skip]
    updated = stored.copy()
    updated.drop(*(name for name, _ in fresh))
    updated.items += fresh
    return updated
