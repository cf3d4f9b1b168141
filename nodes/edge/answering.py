"""The shape of an answer: what of a representation is sent, in which pieces, and the fields that say so.

It reads no content and sends nothing. Which parts answer a request is decided in `caching/answering.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodes.http.conditionals import Selected
from nodes.http.message import Fields
from nodes.http.multipart import plan
from nodes.http.ranges import content_range, unsatisfied_range

NOT_IN_304 = ("content-type", "content-encoding", "content-language", "content-length", "content-range")
"""What a 304 may leave out: RFC 9110, section 15.4.5."""

_OF_CONTENT = ("content-type", "content-encoding", "content-language", "etag", "last-modified", "repr-digest")


@dataclass(frozen=True, slots=True)
class Answer:
    """`pieces` in order are the content, `length_bytes` long: bytes as they are, or (start, length) of the representation."""

    status: int
    length_bytes: int
    pieces: tuple[bytes | tuple[int, int], ...]


def shaped(selected: Selected, status: int, fields: Fields, size_bytes: int | None, boundary: str) -> Answer:
    """`status` is that of the representation; `fields` are changed to fit the answer. No content may hold `boundary`."""
    if selected.status == 304:
        fields.drop(*NOT_IN_304)
        return Answer(304, 0, ())
    if selected.status == 416:
        assert size_bytes is not None
        fields.drop(*_OF_CONTENT)
        fields.put("Content-Range", unsatisfied_range(size_bytes))
        return Answer(416, 0, ())
    if selected.status != 206:
        length = size_bytes or 0
        return Answer(status, length, ((0, length),) if length else ())
    if len(selected.parts) == 1:
        start, length = selected.parts[0]
        fields.put("Content-Range", content_range(start, length, size_bytes))
        return Answer(206, length, selected.parts)
    assert size_bytes is not None
    joined = plan(selected.parts, size_bytes, fields.get("content-type"), boundary)
    fields.put("Content-Type", joined.content_type)
    return Answer(206, joined.length_bytes, joined.pieces)
