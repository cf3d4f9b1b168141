"""A multipart/byteranges body (RFC 9110, section 14.6) as a plan: which bytes to write and which to copy.

It neither reads the representation nor sends anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nodes.http.ranges import content_range


@dataclass(frozen=True)
class Multipart:
    """`pieces` in order: bytes to write as they are, or (start, length) to copy from the representation."""

    content_type: str
    length_bytes: int
    pieces: tuple[bytes | tuple[int, int], ...]


def plan(parts: Sequence[tuple[int, int]], size_bytes: int, content_type: str | None, boundary: str) -> Multipart:
    """The body for these (start, length) parts. `boundary` must be unforeseeable, so that no content can hold it."""
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    pieces: list[bytes | tuple[int, int]] = []
    length_bytes = 0
    for start, length in parts:
        opening = "\r\n" if pieces else ""
        head = f"{opening}--{boundary}\r\n{kind}Content-Range: {content_range(start, length, size_bytes)}\r\n\r\n"
        pieces += [head.encode("latin-1"), (start, length)]
        length_bytes += len(head) + length
    end = f"\r\n--{boundary}--\r\n".encode("latin-1")
    return Multipart(f"multipart/byteranges; boundary={boundary}", length_bytes + len(end), (*pieces, end))
