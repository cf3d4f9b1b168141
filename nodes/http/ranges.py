"""The Range field (RFC 9110, section 14): which parts of a representation a request asks for.

It neither reads content nor writes a multipart body (`multipart.py` plans that one).
"""

from __future__ import annotations

import re

_INT_RANGE = re.compile(r"(\d{1,40})-(\d{1,40})?", re.ASCII)
_SUFFIX_RANGE = re.compile(r"-(\d{1,40})", re.ASCII)

MAX_RANGES = 64
"""A request for more ranges than this gets the whole: section 14.2 lets a server ignore what may be an attack."""

GAP_BYTES = 80
"""Ranges that overlap or lie closer than this are joined (section 15.3.7.2): a part's own header is about as long."""


class Unsatisfiable(Exception):
    """A valid range of which no byte exists: the answer is 416."""


def byte_ranges(value: str | None, size_bytes: int) -> tuple[tuple[int, int], ...] | None:
    """The (start, length) parts to send with 206, or None for the whole with 200. Raises Unsatisfiable.

    Ignored, as section 14.2 says or allows: another unit, a malformed set, more than MAX_RANGES ranges. Parts are in the
    order of the request, joined where they touch, so that together they are never more than the whole.
    """
    specs = range_specs(value)
    if specs is None:
        return None
    if not size_bytes and any(first is None and last for first, last in specs):
        return None  # the last bytes of nothing: satisfiable (14.1.2), yet no Content-Range could say it
    found = [span for first, last in specs if (span := _span(first, last, size_bytes))]
    if not found:
        raise Unsatisfiable
    return tuple((start, end - start) for start, end in _joined(found))


def range_specs(value: str | None) -> list[tuple[int | None, int | None]] | None:
    """(first, last) of each range as written; (None, n) for the last n bytes. None when the field is to be ignored."""
    if value is None:
        return None
    unit, equals, rest = value.partition("=")
    if unit.strip().lower() != "bytes" or not equals or rest.count(",") > 2 * MAX_RANGES:
        return None
    specs: list[tuple[int | None, int | None]] = []
    for text in rest.split(","):
        spec = text.strip(" \t")
        if not spec:
            continue  # empty members of a list are passed over: section 5.6.1.2
        if match := _SUFFIX_RANGE.fullmatch(spec):
            specs.append((None, int(match[1])))
        elif match := _INT_RANGE.fullmatch(spec):
            first, last = int(match[1]), None if match[2] is None else int(match[2])
            if last is not None and last < first:
                return None
            specs.append((first, last))
        else:
            return None
    return specs if specs and len(specs) <= MAX_RANGES else None


def content_range(start: int, length: int, size_bytes: int | None) -> str:
    """The Content-Range of a 206; `size_bytes` None when the whole length is not known."""
    return f"bytes {start}-{start + length - 1}/{'*' if size_bytes is None else size_bytes}"


def unsatisfied_range(size_bytes: int) -> str:
    """The Content-Range of a 416 (section 14.4)."""
    return f"bytes */{size_bytes}"


def _span(first: int | None, last: int | None, size_bytes: int) -> tuple[int, int] | None:
    """(start, end) within the representation, or None when it holds no byte of the range."""
    if first is None:
        start, end = max(0, size_bytes - (last or 0)), size_bytes
    else:
        start, end = first, size_bytes if last is None else min(last + 1, size_bytes)
    return (start, end) if start < end else None


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping and near spans joined; each stands where its first member stood in the request."""
    groups: list[list[int]] = []  # start, end, place in the request
    for place, (start, end) in sorted(enumerate(spans), key=lambda numbered: numbered[1]):
        if groups and start <= groups[-1][1] + GAP_BYTES:
            groups[-1][1] = max(groups[-1][1], end)
            groups[-1][2] = min(groups[-1][2], place)
        else:
            groups.append([start, end, place])
    return [(start, end) for start, end, _ in sorted(groups, key=lambda group: group[2])]
