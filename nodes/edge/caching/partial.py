"""Partial responses: what of a representation is kept, what is missing, and when two may be joined.

RFC 9111, section 3.3 and 3.4; RFC 9110, section 14.4 and 15.3.7. It moves no bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from nodes.edge.caching.update import merged
from nodes.edge.stored import Part, Stored
from nodes.http.dates import parse_date
from nodes.http.etags import is_strong, strongly_equal
from nodes.http.message import Fields

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)

STRONG_AFTER_S = 60
"""A date of modification this much older than Date is a strong validator (RFC 9110, section 8.8.2.2)."""


def span_of(fields: Fields) -> tuple[int, int, int | None] | None:
    """(start, length, length of the whole or None) of a 206 with a single part.

    None when it has none, or one that cannot be trusted: malformed, or at odds with itself or with Content-Length.
    """
    lines = fields.all("content-range")
    match = _CONTENT_RANGE.fullmatch(lines[0].strip()) if len(lines) == 1 else None
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    length = last - first + 1
    if length < 1 or (total is not None and last >= total):  # section 14.4: such a field is invalid
        return None
    stated = fields.get("content-length")
    if stated is not None and stated.strip() != str(length):
        return None
    return first, length, total


def strong_validator(fields: Fields) -> tuple[str, str] | None:
    """The field and value that identify these very bytes: a strong ETag, or a Last-Modified old enough; else None."""
    etag = fields.get("etag")
    if etag is not None:
        return ("etag", etag.strip()) if is_strong(etag) else None
    modified, date = parse_date(fields.get("last-modified")), parse_date(fields.get("date"))
    if modified is None or date is None or date - modified < STRONG_AFTER_S:
        return None
    return "last-modified", str(modified)


def may_combine(stored: Stored, status: int, fields: Fields) -> bool:
    """Whether a response's bytes belong to the same representation (RFC 9110, section 15.3.7.3).

    `fields` as received, so that its Content-Range can be compared with the length that is known.
    """
    if status == 206:
        span = span_of(fields)
        if span is None or (None not in (span[2], stored.size_bytes) and span[2] != stored.size_bytes):
            return False
        if stored.size_bytes is not None and span[0] + span[1] > stored.size_bytes:
            return False
    elif status != 200:
        return False
    mine, other = strong_validator(stored.headers), strong_validator(fields)
    if mine is None or other is None or mine[0] != other[0]:
        return False
    return strongly_equal(mine[1], other[1]) if mine[0] == "etag" else mine == other


def combined(stored: Stored, answer: Fields, requested_s: float, received_s: float) -> Stored:
    """The stored response with the fields of the newer part (RFC 9111, section 3.4); its `parts` are the store's to join."""
    span = span_of(answer)
    size_bytes = stored.size_bytes if span is None or span[2] is None else span[2]
    fields = merged(stored.fields, answer, received_s)
    return replace(stored, fields=fields, requested_s=requested_s, received_s=received_s, size_bytes=size_bytes)


def covers(parts: Sequence[Part], start: int, length: int) -> bool:
    """Whether all these bytes are kept. `parts` in order, as in Stored; neighbours may touch."""
    return not gaps(parts, start, length)


def gaps(parts: Sequence[Part], start: int, length: int) -> list[tuple[int, int]]:
    """(start, length) of what is missing of these bytes, in order."""
    found, at, end = [], start, start + length
    for part in parts:
        if part.start >= end:
            break
        if part.start > at:
            found.append((at, part.start - at))
        at = max(at, part.start + part.length)
    if at < end:
        found.append((at, end - at))
    return found


def request_for(stored: Stored, missing: Sequence[tuple[int, int]]) -> list[tuple[str, str]]:
    """Range and If-Range that ask the origin for the missing bytes of this very representation; empty when one cannot.

    A gap that reaches the end of the whole is asked for without its last byte's number. Without a strong validator what
    comes could not be joined, so nothing is asked for.
    """
    fields = stored.headers
    validator = strong_validator(fields)
    if validator is None or not missing:
        return []
    specs = []
    for start, length in missing:
        open_end = stored.size_bytes is not None and start + length >= stored.size_bytes
        specs.append(f"{start}-" if open_end else f"{start}-{start + length - 1}")
    return [("Range", f"bytes={','.join(specs)}"), ("If-Range", (fields.get(validator[0]) or "").strip())]
