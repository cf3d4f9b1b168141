"""What a response from an origin is to the cache: a word that what is stored is right, a whole, a part, or nothing to keep.

It is pure: it stores nothing and sends nothing. `fetch.py` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from nodes.edge.asking import Ask
from nodes.edge.caching import partial, storing, validation, variants
from nodes.edge.caching.policy import policy
from nodes.edge.store.names import variant_key
from nodes.edge.stored import Part, Stored
from nodes.http.message import Fields
from nodes.http.response import Response


class Kind(Enum):
    """`SAME`: a 304 to our question. `OWN`: such a one for the client that asked alone; nothing it says may be kept.
    `ORPHAN`: a 304 to our question that is about nothing we have."""

    SAME = "same"
    OWN = "own"
    ORPHAN = "orphan"
    WHOLE = "whole"
    PART = "part"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class Arrival:
    """`draft` is what may be stored; its `parts` tell the span of a part, and `joins` is what that part belongs to.

    `renewed` are (old, new) of what is stored, `own` the same where the new is for one client, `gone` what is not to be used
    any more; `why` nothing is kept.
    """

    kind: Kind
    draft: Stored | None = None
    joins: Stored | None = None
    renewed: tuple[tuple[Stored, Stored], ...] = ()
    own: tuple[tuple[Stored, Stored], ...] = ()
    gone: tuple[Stored, ...] = ()
    why: str = ""
    alike: bool = False
    """Whether it answers whoever asked exactly the same, though it is not stored: a 304 to the clients' own condition."""


def arrival(ask: Ask, response: Response, requested_s: float, received_s: float) -> Arrival:
    """Judge a head. The draft has no digests, and no size where the end of the content will tell it."""
    if response.status == 304 and ask.asked:
        known = validation.chosen_by_304(ask.asked, response.fields)
        renewed = tuple(
            (one, validation.refreshed(one, response.fields, ask.seen, requested_s, received_s)) for one in known
        )  # fmt: skip
        return _same(ask, renewed) if renewed else Arrival(Kind.ORPHAN)
    if ask.primary is None:
        return Arrival(Kind.PASS, why="not for the cache")
    chosen = variants.select(ask.seen, ask.known)
    if ask.method == "HEAD":
        return _by_head(ask, chosen, response, requested_s, received_s)
    return _content(ask, ask.primary, response, chosen, requested_s, received_s)


def _same(ask: Ask, renewed: tuple[tuple[Stored, Stored], ...]) -> Arrival:
    """A 304 is stored by what it changes, so the rules for storing are its rules too: RFC 9111, sections 3, 3.5 and 4.3.4."""
    why = next((why for _, new in renewed if (why := _kept_back(ask, new))), "")
    if not why:
        return Arrival(Kind.SAME, renewed=renewed)
    gone = tuple(old for old, new in renewed if storing.withheld(new.status, new.headers))
    return Arrival(Kind.OWN, own=renewed, gone=gone, why=why)


def _kept_back(ask: Ask, new: Stored) -> str:
    return storing.withheld(new.status, new.headers) or storing.barred(ask.for_storing, new.headers)


def _content(
    ask: Ask, primary: str, response: Response, chosen: Stored | None, requested_s: float, received_s: float
) -> Arrival:  # fmt: skip
    """A response with content of its own."""
    status, fields = response.status, response.fields
    if status == 304:
        rules = policy(fields).directives
        alike = "authorization" not in ask.fields and not rules.has("no-store") and not rules.unqualified("private")
        return Arrival(Kind.PASS, why="304 to the client", alike=alike)
    if 500 <= status < 600 and ask.keep_on_error:
        return Arrival(Kind.PASS, why="an error, and what is stored may still be used")
    verdict = storing.storable(ask.for_storing, status, fields, received_s, ask.override(status))
    if not verdict.store:
        gone = chosen is not None and _replaces(ask, status, fields)
        return Arrival(Kind.PASS, gone=(chosen,) if chosen is not None and gone else (), why=verdict.why)
    values = variants.vary_values(ask.seen, fields) or ()
    draft = Stored(
        key=variant_key(primary, values), primary=primary, uri=ask.uri, method="GET",
        status=storing.stored_status(status), reason=response.reason if status != 206 else "OK",
        fields=storing.kept_fields(status, fields, received_s), vary=values, requested_s=requested_s,
        received_s=received_s, size_bytes=response.length_bytes, parts=(),
    )  # fmt: skip
    if status != 206:
        return Arrival(Kind.WHOLE, draft)
    return _part(draft, response, chosen, requested_s, received_s)


def _replaces(ask: Ask, status: int, fields: Fields) -> bool:
    """Whether a response that is not kept takes the place of what is: else the older would come back when the origin fails."""
    if 500 <= status < 600:
        return False
    # What is not kept because of who asked, or for which part, says nothing about the rest unless we asked about that.
    return bool(ask.asked) or not (status in (206, 412, 416) or storing.barred(ask.for_storing, fields))


def _by_head(
    ask: Ask, chosen: Stored | None, response: Response, requested_s: float, received_s: float
) -> Arrival:  # fmt: skip
    """RFC 9111, section 4.3.5."""
    found = None
    if chosen is not None:
        found = validation.by_head(chosen, response.status, response.fields, requested_s, received_s)
    if chosen is None or found is None:
        return Arrival(Kind.PASS, why="HEAD")
    if isinstance(found, Stored) and not _kept_back(ask, found):
        return Arrival(Kind.PASS, renewed=((chosen, found),), why="HEAD")
    if isinstance(found, Stored) and not storing.withheld(found.status, found.headers):
        return Arrival(Kind.PASS, why="HEAD")  # for the client that asked alone
    return Arrival(Kind.PASS, gone=(chosen,), why="HEAD")


def _part(
    draft: Stored, response: Response, chosen: Stored | None, requested_s: float, received_s: float
) -> Arrival:  # fmt: skip
    """A part, kept as such of the whole it tells of, or joined to what is here of the same (RFC 9111, sections 3.3 and 3.4)."""
    span = partial.span_of(response.fields)
    if span is None or (response.length_bytes is not None and response.length_bytes != span[1]):
        return Arrival(Kind.PASS, why="a part that is not what it says")
    parts = (Part(span[0], span[1], b""),)
    if chosen is not None and not chosen.complete and partial.may_combine(chosen, response.status, response.fields):
        joined = replace(partial.combined(chosen, response.fields, requested_s, received_s), parts=parts)
        return Arrival(Kind.PART, joined, chosen)
    return Arrival(Kind.PART, replace(draft, size_bytes=span[2], parts=parts))
