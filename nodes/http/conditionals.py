"""Conditional requests (RFC 9110, section 13): whether to answer 200, 206, 304, 412 or 416.

It decides from the request's fields and the representation's validators; it neither reads nor sends content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nodes.http.dates import parse_date
from nodes.http.message import Fields
from nodes.http.ranges import Unsatisfiable, byte_range

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')

CONDITIONAL_FIELDS = ("if-match", "if-unmodified-since", "if-none-match", "if-modified-since", "if-range")


@dataclass(frozen=True)
class Selected:
    """How to answer: `status` and, for 206, the part. `start` and `length` describe the whole otherwise."""

    status: int
    start: int
    length: int


def select(
    method: str, fields: Fields, etag: str | None, last_modified: str | None, size_bytes: int
) -> Selected:  # fmt: skip
    """Evaluate preconditions in the order of section 13.2.2, then the range (14.2)."""
    whole = Selected(200, 0, size_bytes)
    status = _precondition(method, fields, etag, parse_date(last_modified))
    if status:
        return Selected(status, 0, size_bytes)
    if method != "GET" or "range" not in fields:
        return whole
    if "if-range" in fields and not _if_range(fields.get("if-range") or "", etag, last_modified):
        return whole
    try:
        part = byte_range(fields.get("range"), size_bytes)
    except Unsatisfiable:
        return Selected(416, 0, size_bytes)
    return Selected(206, *part) if part else whole


def _precondition(method: str, fields: Fields, etag: str | None, modified: int | None) -> int:
    """412, 304, or 0 to go on."""
    if "if-match" in fields:  # step 1
        if not _matches(fields.get("if-match") or "", etag, weak=False):
            return 412
    elif "if-unmodified-since" in fields:  # step 2
        limit = parse_date(fields.get("if-unmodified-since"))
        if limit is not None and modified is not None and modified > limit:
            return 412
    if "if-none-match" in fields:  # step 3
        if _matches(fields.get("if-none-match") or "", etag, weak=True):
            return 304 if method in ("GET", "HEAD") else 412
    elif "if-modified-since" in fields and method in ("GET", "HEAD"):  # step 4
        limit = parse_date(fields.get("if-modified-since"))
        if limit is not None and modified is not None and modified <= limit:
            return 304
    return 0


def _matches(value: str, etag: str | None, *, weak: bool) -> bool:
    """Whether a list of entity tags holds `etag` by the weak or strong comparison of section 8.8.3.2."""
    if value.strip() == "*":
        return True
    if etag is None or (not weak and etag.startswith("W/")):
        return False
    opaque = etag.removeprefix("W/")
    return any(tag.removeprefix("W/") == opaque and (weak or not tag.startswith("W/")) for tag in _ETAG.findall(value))


def _if_range(value: str, etag: str | None, last_modified: str | None) -> bool:
    """Section 13.1.5: an exact strong tag, or the exact date of last modification."""
    value = value.strip()
    if value.startswith(('"', "W/")):
        return etag is not None and value == etag and not etag.startswith("W/")
    date = parse_date(value)
    return date is not None and last_modified is not None and date == parse_date(last_modified)
