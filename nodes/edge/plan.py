"""What to do with a GET or HEAD, given what is stored: serve, validate, complete, forward, refuse.

It is pure: it reads no store and asks no origin. `cached.py` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from nodes.edge.caching import answering, partial, reuse, variants
from nodes.edge.caching.override import Override
from nodes.edge.caching.reuse import Judgement
from nodes.edge.stored import Stored
from nodes.http.conditionals import Selected, select
from nodes.http.message import Fields, Request


class Do(Enum):
    """`BEHIND` serves what is stale and validates it meanwhile; `COMPLETE` asks for the bytes that are missing."""

    SERVE = "serve"
    BEHIND = "serve, validate behind"
    VALIDATE = "validate"
    COMPLETE = "complete"
    FORWARD = "forward"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Plan:
    """`fwd` is why a request goes on, in RFC 9211's words. `selected` is what of `stored` answers it; None: bytes lack.

    `completion` are the fields that ask for what lacks.
    """

    do: Do
    fwd: str
    stored: Stored | None = None
    judgement: Judgement | None = None
    selected: Selected | None = None
    completion: tuple[tuple[str, str], ...] = ()

    @property
    def on_error(self) -> bool:
        """Whether what is stored may answer when the origin cannot."""
        return self.selected is not None and self.judgement is not None and self.judgement.on_error


def plan(
    request: Request, known: Sequence[Stored], now_s: float, override: Callable[[int], Override | None],
    seen: Fields | None = None,
) -> Plan:  # fmt: skip
    """For a request and all variants of its key. `override` gives what a rule says about a status.

    `seen` are the fields that choose the variant, where they are not those of the request.
    """
    only_stored = reuse.only_if_cached(request)
    found = variants.select(request.fields if seen is None else seen, known)
    if found is None:
        return Plan(Do.REFUSE if only_stored else Do.FORWARD, "vary-miss" if known else "uri-miss")
    judged = reuse.judge(request, found, now_s, override(found.status))
    selected = answering.answer(request, found)
    if selected is not None and judged.serves:
        behind = judged.use == "stale-while-revalidate"
        return Plan(Do.BEHIND if behind else Do.SERVE, judged.why, found, judged, selected)
    fwd = "partial" if judged.serves else judged.why
    if only_stored:
        return Plan(Do.REFUSE, fwd, found, judged, selected)
    if not judged.serves:
        return Plan(Do.VALIDATE, fwd, found, judged, selected)
    lacking = completion(request, found)
    return Plan(Do.COMPLETE if lacking else Do.FORWARD, fwd, found, judged, None, lacking)


def completion(request: Request, stored: Stored) -> tuple[tuple[str, str], ...]:
    """Range and If-Range for the one stretch from the first to the last byte that lacks; empty when it cannot be joined."""
    wanted = wanted_part(request, stored)
    if wanted is None:
        return ()
    gaps = partial.gaps(stored.parts, wanted.start, wanted.length)
    start, end = gaps[0][0], gaps[-1][0] + gaps[-1][1]
    return tuple(partial.request_for(stored, [(start, end - start)]))


def wanted_part(request: Request, stored: Stored) -> Selected | None:
    """The one part of a partly stored representation that the request is for, or its whole; None when it is for several."""
    if stored.size_bytes is None or request.method != "GET":
        return None
    fields = stored.headers
    validator = partial.strong_validator(fields)
    selected = select(
        "GET", request.fields, fields.get("etag"), fields.get("last-modified"), stored.size_bytes,
        origin=False, date_is_strong=validator is not None and validator[0] == "last-modified", several=True,
    )  # fmt: skip
    return selected if selected.status in (200, 206) and len(selected.parts) == 1 else None
