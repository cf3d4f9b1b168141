"""What a shared cache may store of a response (RFC 9111, section 3), and which of its fields.

It does not ask whether there is room, nor how long the response will be fresh.
"""

from __future__ import annotations

from typing import NamedTuple

from nodes.edge.caching.asked import Asked
from nodes.edge.caching.facts import vary_names
from nodes.edge.caching.lifetime import HEURISTIC_STATUSES, explicit_s, lifetime_of_s
from nodes.edge.caching.override import NO_OVERRIDE, Override
from nodes.edge.caching.partial import span_of
from nodes.edge.caching.policy import Policy, policy
from nodes.edge.caching.reuse import request_directives
from nodes.edge.caching.uris import resolve
from nodes.http.dates import http_date
from nodes.http.message import Fields, end_to_end

UNDERSTOOD_STATUSES = frozenset(
    (200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415,
     417, 421, 422, 426, 500, 501, 502, 503, 504, 505)
)  # fmt: skip
"""Statuses for which all that RFC 9110 and 9111 say of caching is done here (must-understand, section 5.2.2.3)."""

_OF_THE_REQUEST = frozenset((304, 412, 416))
"""Answers to a precondition or a range of one request; the cache key holds neither."""

_STEERING = frozenset(("cache-control", "cdn-cache-control", "surrogate-control", "vary", "expires", "date", "age"))
"""Fields without which a response that is stored would be taken for another: fresher, or for everybody."""

_PROXY_FIELDS = ("proxy-authenticate", "proxy-authentication-info", "proxy-authorization")
"""Never to be stored: section 3.1."""


class Storable(NamedTuple):
    """`why` is for the log, a few words; empty when it may be stored."""

    store: bool
    why: str


_YES = Storable(True, "")


def storable(
    request: Asked, status: int, fields: Fields, received_s: float, override: Override | None = None
) -> Storable:  # fmt: skip
    """Section 3, with section 3.3 (206), 3.5 (Authorization) and RFC 9110, section 9.3.3 (POST).

    `received_s`, in seconds since 1970, stands in for a Date that is missing.
    Not stored either, though allowed: what could never be used (Vary: *; no lifetime and no validator).
    """
    override = override or NO_OVERRIDE
    rules = policy(fields)
    why = _of_request(request, status, fields, rules) or _of_response(status, fields, rules)
    return Storable(False, why) if why else _useful(status, fields, rules, received_s, override)


def barred(request: Asked, fields: Fields) -> str:
    """Why nothing that the answer to this request says may be kept, whatever its method and status; empty when it may."""
    return _barred(request, policy(fields))


def withheld(status: int, fields: Fields) -> str:
    """Why a response with these fields may not be kept, whoever asked; empty when it may."""
    return _of_response(status, fields, policy(fields))


def kept_fields(status: int, fields: Fields, received_s: float) -> tuple[tuple[str, str], ...]:
    """The fields to store (section 3.1), and a Date when there is none (RFC 9110, section 6.6.1).

    Not those of the connection, of proxies, or that private="..." names (5.2.2.7). A 206 is stored like a whole 200 of
    which bytes are missing (3.3), so its Content-Range and Content-Length go: they speak of the part.
    """
    kept = end_to_end(fields)
    kept.drop(*_PROXY_FIELDS, *policy(fields).directives.names("private"))
    if status == 206:
        kept.drop("content-range", "content-length")
    if "date" not in kept:
        kept.add("Date", http_date(received_s))
    return tuple(kept.items)


def shareable(fields: Fields) -> Fields:
    """What of an answer also answers those who did not ask for it: not the fields that private="..." names (section 5.2.2.7)
    or no-cache="..." (5.2.2.4, for it was not validated for them), nor those of proxies (3.1)."""
    directives, shared = policy(fields).directives, Fields(fields.items)
    shared.drop(*_PROXY_FIELDS, *directives.names("private"), *directives.names("no-cache"))
    return shared


def stored_status(status: int) -> int:
    """The status to store: a 206 as the 200 that it is a part of (section 3.3)."""
    return 200 if status == 206 else status


def _of_request(request: Asked, status: int, fields: Fields, rules: Policy) -> str:
    """Why the request forbids it; empty when it does not."""
    if request.method == "POST":
        why = _post(request, status, fields, rules)
        if why:
            return why
    elif request.method != "GET":
        return f"method {request.method}"
    if status == 206 and "range" not in request.fields:
        return "206 unasked"
    return _barred(request, rules)


def _barred(request: Asked, rules: Policy) -> str:
    if request_directives(request).has("no-store"):  # section 5.2.1.5
        return "request no-store"
    if "authorization" in request.fields and not any(
        rules.directives.has(name) for name in ("public", "must-revalidate", "s-maxage")
    ):  # section 3.5
        return "authorization"
    return ""


def _of_response(status: int, fields: Fields, rules: Policy) -> str:
    """Why the response forbids it; empty when it does not."""
    directives = rules.directives
    must_understand = directives.has("must-understand")
    reasons = {
        f"status {status}": status < 200 or status in _OF_THE_REQUEST,
        "must-understand": must_understand and status not in UNDERSTOOD_STATUSES,  # section 5.2.2.3
        # Section 5.2.2.5; but a cache that understands the status passes over it where must-understand stands too.
        "no-store": directives.has("no-store") and not must_understand,
        "private": directives.unqualified("private"),  # section 5.2.2.7
        "content-range": status == 206 and span_of(fields) is None,  # section 3.3
        # RFC 9110, section 7.6.1: what Connection names is not stored, though it may never name these.
        "connection": not _STEERING.isdisjoint(fields.tokens("connection")),
        "vary *": vary_names(fields) is None,  # section 4.1: it never matches
    }
    return next((why for why, applies in reasons.items() if applies), "")


def _useful(status: int, fields: Fields, rules: Policy, received_s: float, override: Override) -> Storable:
    """The last item of section 3, and whether it could ever answer anything."""
    directives = rules.directives
    stated = any(directives.has(name) for name in ("public", "max-age", "s-maxage"))
    if not rules.targeted:
        stated = stated or "expires" in fields
    if not (stated or override.ttl_s is not None or status in HEURISTIC_STATUSES):
        return Storable(False, f"status {status} without a lifetime")
    if "etag" in fields or "last-modified" in fields:
        return _YES
    if directives.unqualified("no-cache"):
        return Storable(False, "no-cache without a validator")
    if lifetime_of_s(status, fields, rules, received_s, override) > 0:
        return _YES
    why = "no lifetime" if explicit_s(fields, rules, received_s) is None else "stale at once"
    return Storable(False, f"{why} and no validator")


def _post(request: Asked, status: int, fields: Fields, rules: Policy) -> str:
    """RFC 9110, section 9.3.3: explicit freshness, and a Content-Location that is the target itself."""
    if status != 200:
        return f"method POST, status {status}"
    location = fields.get("content-location")
    if location is None or resolve(request.uri, location) != request.uri:
        return "method POST without its own content-location"
    if explicit_s(fields, rules, 0.0) is None:
        return "method POST without a lifetime"
    return ""
