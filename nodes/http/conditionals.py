"""Conditional requests (RFC 9110, section 13): whether to answer 200, 206, 304, 412 or 416.

It decides from the request's fields and the representation's validators; it neither reads nor sends content.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodes.http.dates import parse_date
from nodes.http.etags import members, strongly_equal, weakly_equal
from nodes.http.message import Fields
from nodes.http.ranges import Unsatisfiable, byte_ranges

CONDITIONAL_FIELDS = ("if-match", "if-unmodified-since", "if-none-match", "if-modified-since", "if-range")


@dataclass(frozen=True)
class Selected:
    """How to answer. `parts` are the (start, length) to send: one, or for a 206 perhaps several (multipart)."""

    status: int
    parts: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Of the first part."""
        return self.parts[0][0]

    @property
    def length(self) -> int:
        """Of the first part."""
        return self.parts[0][1]


def select(
    method: str,
    fields: Fields,
    etag: str | None,
    last_modified: str | None,
    size_bytes: int,
    *,
    origin: bool = True,
    date_is_strong: bool = True,
    several: bool = False,
) -> Selected:
    """Evaluate preconditions in the order of section 13.2.2, then the range (14.2).

    A cache (`origin` False) passes over If-Match and If-Unmodified-Since, which are not meant for it (13.1.1, 13.1.4).
    `date_is_strong` tells whether Last-Modified is a strong validator (8.8.2.2); If-Range takes no weak one (13.1.5).
    `several` tells whether the caller can send multipart/byteranges; if not, several ranges get the whole (14.2).
    """
    whole = ((0, size_bytes),)
    status = _precondition(method, fields, etag, parse_date(last_modified), origin)
    if status:
        return Selected(status, whole)
    if method != "GET" or "range" not in fields:
        return Selected(200, whole)
    if "if-range" in fields and not _if_range(fields.get("if-range") or "", etag, last_modified, date_is_strong):
        return Selected(200, whole)
    try:
        parts = byte_ranges(fields.get("range"), size_bytes)
    except Unsatisfiable:
        return Selected(416, whole)
    return Selected(206, parts) if parts and (several or len(parts) == 1) else Selected(200, whole)


def _precondition(method: str, fields: Fields, etag: str | None, modified: int | None, origin: bool) -> int:
    """412, 304, or 0 to go on."""
    if origin and "if-match" in fields:  # step 1
        if not _matches(fields.get("if-match") or "", etag, weak=False):
            return 412
    elif origin and "if-unmodified-since" in fields:  # step 2
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
    """Whether a list of entity tags holds `etag`; `*` holds any representation (13.1.1, 13.1.2)."""
    if value.strip() == "*":
        return True
    equal = weakly_equal if weak else strongly_equal
    return any(equal(tag, etag) for tag in members(value))


def _if_range(value: str, etag: str | None, last_modified: str | None, date_is_strong: bool) -> bool:
    """Section 13.1.5: an exact strong tag, or the exact and strong date of last modification."""
    value = value.strip()
    date = parse_date(value)
    if date is None:
        return strongly_equal(value, etag)
    return date_is_strong and date == parse_date(last_modified)
