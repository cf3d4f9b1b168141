"""Validation of stored responses at the origin (RFC 9111, section 4.3).

It sends nothing. What a client's own preconditions mean is in `answering.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from nodes.edge.caching.facts import facts_of
from nodes.edge.caching.update import merged
from nodes.edge.caching.variants import vary_values
from nodes.edge.stored import Stored
from nodes.http.dates import parse_date
from nodes.http.etags import is_strong, strongly_equal, weakly_equal
from nodes.http.message import Fields

MAX_TAGS = 16
"""Of more variants than this only the newest are asked about, so that a request's head stays small."""


def asked_about(selected: Stored | None, stored: Sequence[Stored]) -> tuple[Stored, ...]:
    """The stored responses that a conditional request shall speak of, newest first; empty: send no conditions.

    `selected` is what `variants.select` chose; None when no variant matched, and then the tags of the others are worth
    asking about (section 4.3). What is kept in part is left out: a 304 would promise bytes that are not here (4.3.2).
    """
    if selected is not None and "etag" not in selected.headers:
        # With the tags of others beside it the date would be passed over: RFC 9110, section 13.1.3.
        return (selected,) if selected.complete and "last-modified" in selected.headers else ()
    return tuple(_newest_first(one for one in stored if one.complete and "etag" in one.headers))[:MAX_TAGS]


def conditions(asked: Sequence[Stored]) -> list[tuple[str, str]]:
    """If-None-Match with all their tags, as they came; If-Modified-Since if there is one only (section 4.3.1)."""
    tags = dict.fromkeys(tag.strip() for one in asked if (tag := one.headers.get("etag")))
    found = [("If-None-Match", ", ".join(tags))] if tags else []
    modified = asked[0].headers.get("last-modified") if len(asked) == 1 else None
    return [*found, ("If-Modified-Since", modified)] if modified is not None else found


def chosen_by_304(asked: Sequence[Stored], answer: Fields) -> tuple[Stored, ...]:
    """Those of the responses asked about that a 304 speaks of, the one to answer with first.

    Section 4.3.4: all with the same strong ETag; else the newest with the same weak validator; else, without any
    validator, the only one asked about. Empty: it speaks of none of them, so ask again without conditions.
    """
    ordered = _newest_first(asked)
    etag, modified = answer.get("etag"), parse_date(answer.get("last-modified"))
    if is_strong(etag):
        return tuple(one for one in ordered if strongly_equal(one.headers.get("etag"), etag))
    if etag is not None:
        return tuple(one for one in ordered if weakly_equal(one.headers.get("etag"), etag))[:1]
    if "last-modified" in answer:
        return tuple(one for one in ordered if parse_date(one.headers.get("last-modified")) == modified)[:1]
    # A 304 repeats the ETag that it confirms (RFC 9110, section 15.4.5). An origin that leaves it out has still said
    # that the one representation it was asked about is current.
    return tuple(ordered) if len(ordered) == 1 else ()


def refreshed(
    stored: Stored, answer: Fields, request: Fields | None, requested_s: float, received_s: float
) -> Stored:  # fmt: skip
    """The stored response, freshened by a 304 (section 3.2): new fields, new times, the same bytes.

    `request`: the fields of the validating request; they choose this variant from now on if the answer changes Vary.
    """
    fields = merged(stored.fields, answer, received_s)
    vary = stored.vary
    if request is not None and answer.tokens("vary") and set(answer.tokens("vary")) != set(stored.headers.tokens("vary")):
        vary = vary_values(request, Fields(fields)) or ()
    return replace(stored, fields=fields, vary=vary, requested_s=requested_s, received_s=received_s)


def by_head(
    stored: Stored, status: int, answer: Fields, requested_s: float, received_s: float
) -> Stored | Literal["invalidate"] | None:  # fmt: skip
    """What a response to HEAD does to a stored one that could have answered it (section 4.3.5).

    Updated when all validators it brings and its Content-Length agree; "invalidate" when one does not (it is to be taken
    for stale); None when the response says nothing of it: only a 200 does.
    """
    if status != 200:
        return None
    fields = stored.headers
    for name in ("etag", "last-modified"):
        given = answer.get(name)
        if given is not None and given.strip() != (fields.get(name) or "").strip():
            return "invalidate"
    length = answer.get("content-length")
    if length is not None and stored.size_bytes is not None and length.strip() != str(stored.size_bytes):
        return "invalidate"
    return refreshed(stored, answer, None, requested_s, received_s)


def _newest_first(stored: Iterable[Stored]) -> list[Stored]:
    """By Date, as section 4 says."""
    return sorted(stored, key=lambda one: (-facts_of(one).date_s, -one.received_s))
