"""The Range field (RFC 9110, section 14): what part of a representation a request asks for.

It answers a single range; several ranges in one request are served as the whole, which section 14.2 allows.
"""

from __future__ import annotations

import re

_SPEC = re.compile(r"(\d{0,19})-(\d{0,19})", re.ASCII)


class Unsatisfiable(Exception):
    """A valid range of which no byte exists: the answer is 416."""


def byte_range(value: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The (start, length) to send with 206, or None for the whole with 200. Raises Unsatisfiable.

    A field that is malformed, of another unit, or of several ranges is ignored (section 14.2).
    """
    if value is None:
        return None
    unit, equals, rest = value.partition("=")
    match = _SPEC.fullmatch(rest.strip())
    if unit.strip().lower() != "bytes" or not equals or not match or rest.strip() == "-":
        return None
    first, last = match.groups()
    if not first:  # the last so many bytes
        suffix = min(int(last), size_bytes)
        if suffix == 0:
            raise Unsatisfiable
        return size_bytes - suffix, suffix
    start = int(first)
    end = int(last) if last else size_bytes - 1
    if last and end < start:
        return None
    if start >= size_bytes:
        raise Unsatisfiable
    return start, min(end, size_bytes - 1) - start + 1


def content_range(start: int, length: int, size_bytes: int) -> str:
    """The Content-Range of a 206."""
    return f"bytes {start}-{start + length - 1}/{size_bytes}"
