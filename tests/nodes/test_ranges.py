"""Range, RFC 9110 section 14."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.ranges import Unsatisfiable, byte_range, content_range


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", (0, 1)), ("bytes=5-9", (5, 5)), ("bytes=90-", (90, 10)), ("bytes=-1", (99, 1)),
        ("bytes=-500", (0, 100)), ("bytes=10-5000", (10, 90)), ("Bytes=0-1", (0, 2)), ("bytes= 0-1", (0, 2)),
    ],
)  # fmt: skip
def test_a_single_range_is_cut_at_the_end(value: str, expected: tuple[int, int]) -> None:
    assert byte_range(value, 100) == expected


@pytest.mark.parametrize("value", [None, "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "lines=0-1",
                                   "bytes=0-1,3-4", "bytes=0x1-2", "bytes=١-٢", "bytes=--1"])  # fmt: skip
def test_what_is_malformed_or_several_ranges_gives_the_whole(value: str | None) -> None:
    assert byte_range(value, 100) is None


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_without_a_byte_is_unsatisfiable(value: str) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(value, 100)


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_part_lies_within_the_whole_and_begins_where_asked(start: int, last: int, size: int) -> None:
    try:
        part = byte_range(f"bytes={start}-{last}", size)
    except Unsatisfiable:
        assert start >= size
        return
    if part is None:
        assert last < start
        return
    assert part[0] == start
    assert 1 <= part[1] <= last - start + 1
    assert part[0] + part[1] <= size
    assert content_range(*part, size) == f"bytes {start}-{min(last, size - 1)}/{size}"


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        part = byte_range(text, 1000)
    except Unsatisfiable:
        return
    assert part is None or (part[0] >= 0 and part[1] > 0 and sum(part) <= 1000)
