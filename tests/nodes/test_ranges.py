"""Range, RFC 9110 section 14, and multipart/byteranges."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.multipart import plan
from nodes.http.ranges import GAP_BYTES, MAX_RANGES, Unsatisfiable, byte_ranges, content_range, unsatisfied_range

SIZE = 10_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", [(0, 1)]), ("bytes=5-9", [(5, 5)]), ("bytes=9990-", [(9990, 10)]), ("bytes=-1", [(9999, 1)]),
        ("bytes=-50000", [(0, 10000)]), ("bytes=10-50000", [(10, 9990)]), ("Bytes=0-1", [(0, 2)]), ("bytes= 0-1", [(0, 2)]),
        ("bytes=0-1,", [(0, 2)]), ("bytes=,,0-1 ,\t500-501", [(0, 2), (500, 2)]),
        ("bytes=500-501,0-1", [(500, 2), (0, 2)]), ("bytes=0-1, 5000-, 999999-", [(0, 2), (5000, 5000)]),
        ("bytes=-1,0-0", [(9999, 1), (0, 1)]), (f"bytes=0-{10**39}", [(0, 10000)]),
    ],
)  # fmt: skip
def test_14_1_2_the_parts_are_cut_at_the_end_and_in_the_order_of_the_request(
    value: str, expected: list[tuple[int, int]]
) -> None:
    assert byte_ranges(value, SIZE) == tuple(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-9,5-14", [(0, 15)]), ("bytes=0-9,10-19", [(0, 20)]), ("bytes=100-199,0-19", [(0, 200)]),
        ("bytes=5000-5009,0-1,5005-5020", [(5000, 21), (0, 2)]), ("bytes=0-,1-,2-", [(0, 10000)]),
        (f"bytes=0-0,{1 + GAP_BYTES}-{1 + GAP_BYTES}", [(0, 2 + GAP_BYTES)]),
        (f"bytes=0-0,{2 + GAP_BYTES}-{2 + GAP_BYTES}", [(0, 1), (2 + GAP_BYTES, 1)]),
    ],
)  # fmt: skip
def test_15_3_7_2_ranges_that_overlap_or_nearly_touch_are_joined(value: str, expected: list[tuple[int, int]]) -> None:
    assert byte_ranges(value, SIZE) == tuple(expected)


@pytest.mark.parametrize("value", [None, "bytes", "bytes=", "bytes=-", "bytes=,", "bytes=5-4", "bytes=a-b", "lines=0-1",
                                   "bytes=0-1;3-4", "bytes=0-1,5-4", "bytes=0x1-2", "bytes=١-٢", "bytes=--1", "bytes=0 -1",
                                   "bytes=0-1-2", "0-1"])  # fmt: skip
def test_14_2_what_is_malformed_or_of_another_unit_gives_the_whole(value: str | None) -> None:
    assert byte_ranges(value, SIZE) is None


def test_14_2_too_many_ranges_give_the_whole() -> None:
    spread = [f"{i * 100}-{i * 100}" for i in range(MAX_RANGES + 1)]
    assert len(byte_ranges("bytes=" + ",".join(spread[:-1]), SIZE) or ()) == MAX_RANGES
    assert byte_ranges("bytes=" + ",".join(spread), SIZE) is None
    assert byte_ranges("bytes=" + "," * 100_000 + "0-1", SIZE) is None


@pytest.mark.parametrize("value", ["bytes=10000-", "bytes=10000-20000", "bytes=-0", "bytes=10000-,-0", f"bytes={10**39}-"])
def test_15_5_17_a_range_without_a_byte_is_unsatisfiable(value: str) -> None:
    with pytest.raises(Unsatisfiable):
        byte_ranges(value, SIZE)


def test_14_1_2_of_nothing_a_suffix_is_the_whole_and_a_range_is_unsatisfiable() -> None:
    assert byte_ranges("bytes=-5", 0) is None
    with pytest.raises(Unsatisfiable):
        byte_ranges("bytes=0-", 0)


def test_14_4_content_range() -> None:
    assert content_range(2, 3, 10) == "bytes 2-4/10"
    assert content_range(2, 3, None) == "bytes 2-4/*"
    assert unsatisfied_range(10) == "bytes */10"


SPECS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 400), st.one_of(st.none(), st.integers(0, 400))),
        st.tuples(st.none(), st.integers(0, 400)),
    ),
    min_size=1,
    max_size=8,
)


def written(specs: list[tuple[int | None, int | None]]) -> str:
    return "bytes=" + ",".join("-".join("" if end is None else str(end) for end in spec) for spec in specs)


@given(SPECS, st.integers(1, 300))
def test_the_parts_hold_exactly_the_bytes_of_a_naive_reading_and_what_lies_between_near_ones(
    specs: list[tuple[int | None, int | None]], size: int
) -> None:
    if any(first is not None and last is not None and last < first for first, last in specs):
        assert byte_ranges(written(specs), size) is None
        return
    wanted: set[int] = set()
    for first, last in specs:
        if first is None:
            wanted |= set(range(size)[size - min(last or 0, size) :])
        else:
            wanted |= set(range(first, size if last is None else min(size, last + 1)))
    try:
        parts = byte_ranges(written(specs), size)
    except Unsatisfiable:
        assert not wanted
        return
    assert parts is not None
    held = [byte for start, length in parts for byte in range(start, start + length)]
    assert len(held) == len(set(held)) <= size  # never more than the whole, however many ranges are asked for
    assert wanted <= set(held)
    for byte in set(held) - wanted:
        near = [other for other in wanted if abs(other - byte) <= GAP_BYTES]
        assert min(near) < byte < max(near)
    edges = sorted((start, start + length) for start, length in parts)
    assert all(two[0] - one[1] > GAP_BYTES for one, two in pairwise(edges))


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    for value in (text, f"bytes={text}"):
        try:
            parts = byte_ranges(value, 1000)
        except Unsatisfiable:
            continue
        assert parts is None or all(start >= 0 and length > 0 and start + length <= 1000 for start, length in parts)


def test_14_6_a_multipart_body() -> None:
    content = bytes(range(256)) * 4
    made = plan(((0, 3), (600, 4)), len(content), "text/plain", "xyz")
    body = b"".join(piece if isinstance(piece, bytes) else content[piece[0] : sum(piece)] for piece in made.pieces)
    assert made.content_type == "multipart/byteranges; boundary=xyz"
    assert made.length_bytes == len(body)
    assert body == (
        b"--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-2/1024\r\n\r\n" + content[:3]
        + b"\r\n--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 600-603/1024\r\n\r\n" + content[600:604]
        + b"\r\n--xyz--\r\n"
    )  # fmt: skip


def test_14_6_without_a_content_type_no_part_has_one() -> None:
    assert b"Content-Type" not in b"".join(p for p in plan(((0, 1), (5, 1)), 9, None, "b").pieces if isinstance(p, bytes))
