"""Partial responses: RFC 9111, sections 3.3 and 3.4; RFC 9110, sections 14.4 and 15.3.7."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import NOW, fields, parts, request, stored

from nodes.edge.caching import answering, partial
from nodes.edge.stored import Part


@pytest.mark.parametrize(
    ("lines", "span"),
    [
        ("Content-Range: bytes 0-4/10", (0, 5, 10)),
        ("Content-Range: BYTES 4-9/*", (4, 6, None)),
        ("Content-Range: bytes 0-4/10\nContent-Length: 5", (0, 5, 10)),
        ("Content-Range: bytes 4-9/10\nContent-Length: 5", None),
        ("Content-Range: bytes 5-4/10", None),
        ("Content-Range: bytes 0-10/10", None),
        ("Content-Range: bytes */10", None),
        ("Content-Range: bytes 0-4", None),
        ("Content-Range: lines 0-4/10", None),
        ("Content-Range: bytes 0-4/10\nContent-Range: bytes 0-4/10", None),
        ("Content-Range: bytes 0-4/99999999999999999999", None),
        ("X: 1", None),
    ],
)
def test_14_4_content_range_is_trusted_only_when_it_agrees_with_itself(
    lines: str, span: tuple[int, int, int | None] | None
) -> None:
    assert partial.span_of(fields(lines)) == span


@pytest.mark.parametrize(
    ("lines", "strong"),
    [
        ('ETag: "a"', True), ('ETag: W/"a"', False), ("ETag: a", False), ("X: 1", False),
        ("Last-Modified: {now-60}\nDate: {now}", True), ("Last-Modified: {now-59}\nDate: {now}", False),
        ("Last-Modified: {now-60}", False), ('ETag: W/"a"\nLast-Modified: {now-60}\nDate: {now}', False),
    ],
)  # fmt: skip
def test_8_8_strong_validators(lines: str, strong: bool) -> None:
    assert (partial.strong_validator(fields(lines)) is not None) is strong


PART = 'Content-Range: bytes 5-9/10\nETag: "a"\nDate: {now}'


@pytest.mark.parametrize(
    ("status", "lines", "joins"),
    [
        (206, PART, True), (206, PART.replace('"a"', '"b"'), False), (206, PART.replace('"a"', 'W/"a"'), False),
        (206, PART.replace("/10", "/11"), False), (206, PART.replace("/10", "/*"), True),
        (206, 'Content-Range: bytes 5-19/*\nETag: "a"', False), (206, 'ETag: "a"', False),
        (206, "Content-Range: bytes 5-9/10\nLast-Modified: {now-900}\nDate: {now}", False),
        (200, 'ETag: "a"', True), (200, 'ETag: "b"', False), (416, PART, False), (404, 'ETag: "a"', False),
    ],
)  # fmt: skip
def test_3_4_only_bytes_of_the_same_strong_validator_are_joined(status: int, lines: str, joins: bool) -> None:
    kept = stored({"stored": '200\nETag: "a"', "parts": [[0, 5]]})
    assert partial.may_combine(kept, status, fields(lines)) is joins


def test_3_4_a_weakly_tagged_response_is_never_joined_to_anything() -> None:
    kept = stored({"stored": '200\nETag: W/"a"', "parts": [[0, 5]]})
    assert not partial.may_combine(kept, 206, fields(PART.replace('"a"', 'W/"a"')))


def test_3_4_equal_and_old_dates_of_modification_join() -> None:
    kept = stored({"stored": "200\nLast-Modified: {now-900}\nDate: {now}", "parts": [[0, 5]]})
    assert partial.may_combine(kept, 206, fields("Content-Range: bytes 5-9/10\nLast-Modified: {now-900}\nDate: {now+9}"))
    assert not partial.may_combine(kept, 206, fields("Content-Range: bytes 5-9/10\nLast-Modified: {now-899}\nDate: {now+9}"))


def test_3_4_the_new_part_brings_its_fields_but_not_those_of_its_span() -> None:
    kept = stored({"stored": '200\nDate: {now}\nETag: "a"\nX: 1\nY: 1', "parts": [[0, 5]], "size": "unknown"})
    new = fields('Date: {now+9}\nETag: "a"\nX: 2\nContent-Range: bytes 5-9/10\nContent-Length: 5')
    joined = partial.combined(kept, new, NOW + 8, NOW + 9)
    assert joined.headers.items == fields('Date: {now+9}\nETag: "a"\nX: 2\nY: 1').items
    assert (joined.size_bytes, joined.parts, joined.received_s) == (10, kept.parts, NOW + 9)


def test_3_3_what_is_missing_is_asked_for_with_the_strong_validator() -> None:
    kept = stored({"stored": '200\nETag: "a"', "parts": [[0, 5]]})
    assert partial.request_for(kept, partial.gaps(kept.parts, 0, 10)) == [("Range", "bytes=5-"), ("If-Range", '"a"')]
    middle = replace(kept, parts=parts([[0, 2], [5, 5]]))
    assert partial.request_for(middle, partial.gaps(middle.parts, 0, 10)) == [("Range", "bytes=2-4"), ("If-Range", '"a"')]
    assert partial.request_for(kept, []) == []
    for weak in ('200\nETag: W/"a"', "200\nX: 1", "200\nLast-Modified: {now-1}"):
        assert partial.request_for(stored({"stored": weak, "parts": [[0, 5]]}), [(5, 5)]) == []
    dated = stored({"stored": "200\nDate: {now}\nLast-Modified: {now-900}", "parts": [[0, 5]]})
    assert partial.request_for(dated, [(5, 5)]) == [("Range", "bytes=5-"), *fields("If-Range: {now-900}").items]


@st.composite
def kept_parts(draw: st.DrawFn) -> tuple[Part, ...]:
    """Parts in order that do not overlap, of a representation of at most 200 bytes."""
    edges = sorted(draw(st.sets(st.integers(0, 200), max_size=12)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return tuple(Part(start, end - start, b"") for start, end in pairs)


@given(kept_parts(), st.integers(0, 220), st.integers(1, 220))
def test_the_kept_and_the_missing_together_are_the_whole(kept: tuple[Part, ...], start: int, length: int) -> None:
    wanted = set(range(start, start + length))
    held = {byte for part in kept for byte in range(part.start, part.start + part.length)}
    gaps = partial.gaps(kept, start, length)
    missing = [byte for begin, size in gaps for byte in range(begin, begin + size)]
    assert missing == sorted(wanted - held)
    assert all(size > 0 for _, size in gaps)
    assert partial.covers(kept, start, length) is (wanted <= held)


@given(kept_parts(), st.integers(0, 199), st.integers(0, 220))
def test_a_range_answered_from_parts_sends_only_bytes_that_are_kept(kept: tuple[Part, ...], first: int, last: int) -> None:
    one = replace(stored({"stored": "200\nX: 1", "size": 200}), parts=kept)
    chosen = answering.answer(request(f"GET /\nRange: bytes={first}-{last}"), one)
    held = {byte for part in kept for byte in range(part.start, part.start + part.length)}
    if chosen is None:
        assert not held >= set(range(first, min(last, 199) + 1)) or last < first
    elif chosen.status == 206:
        sent = {byte for start, length in chosen.parts for byte in range(start, start + length)}
        assert sent == set(range(first, min(last, 199) + 1)) <= held
    else:
        assert chosen.status == 200
        assert last < first
        assert one.complete
