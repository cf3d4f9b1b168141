"""No head and no content costs more time than its length is worth, and no number is too long to be refused."""

from __future__ import annotations

import pytest

from nodes.http.chunked import ChunkedReader
from nodes.http.chunks import Chunks
from nodes.http.framing import Head, check, framing_of
from nodes.http.limits import Limits
from nodes.http.message import HttpError
from nodes.http.ranges import Unsatisfiable, byte_ranges
from tests.nodes.framing_cases import head, post
from tests.nodes.growth import growth

LIMITS = Limits(body_bytes=1 << 40)
LINEAR = 24
"""Between 8 and 64, which `growth` gives for linear and quadratic."""


def framing(said: Head) -> None:
    with pytest.raises(HttpError) as refused:
        framing_of(said)
    assert refused.value.status in (400, 501)


@pytest.mark.parametrize("name", [b"Content-Length", b"Transfer-Encoding"])
@pytest.mark.parametrize("between", [b" ", b"\t", b"\t ", b"x ", b", ", b" ;"])
def test_blanks_inside_a_framing_field_cost_linear_time(name: bytes, between: bytes) -> None:
    def make(count: int) -> Head:
        return check(post(name + b": 1" + between * (count // len(between)) + b"1"), LIMITS)

    assert growth(make, framing, 8000) < LINEAR


@pytest.mark.parametrize("kind", [lambda: Chunks(LIMITS), ChunkedReader], ids=["request", "response"])
def test_many_small_chunks_in_one_piece_cost_linear_time(kind: type[ChunkedReader]) -> None:
    def read(said: bytes) -> None:
        reader = kind()
        assert b"".join(reader.feed(said)) == b"a" * said.count(b"a")

    assert growth(lambda count: b"1\r\na\r\n" * count, read, 8000) < LINEAR


def test_a_content_length_of_thousands_of_zeros_is_a_number() -> None:
    assert framing_of(check(post(b"Content-Length: " + b"0" * 10_000 + b"5"), LIMITS)).length == 5
    assert framing_of(check(post(b"Content-Length: " + b"0" * 10_000), LIMITS)).length == 0


@pytest.mark.parametrize("digits", [19, 5000, 60_000])
def test_a_content_length_of_thousands_of_digits_is_413(digits: int) -> None:
    with pytest.raises(HttpError) as refused:
        framing_of(check(post(b"Content-Length: " + b"9" * digits), LIMITS))
    assert refused.value.status == 413


@pytest.mark.parametrize("text", ["bytes=0-{}", "bytes={}-", "bytes=-{}", "bytes=0-1,{}-{}"])
def test_a_range_of_thousands_of_digits_is_ignored(text: str) -> None:
    assert byte_ranges(text.replace("{}", "9" * 5000), 10) is None
    with pytest.raises(Unsatisfiable):
        byte_ranges("bytes=" + "9" * 40 + "-", 10)


def test_a_chunk_size_of_thousands_of_digits_is_400() -> None:
    for size in (b"f" * 900, b"0" * 900 + b"f" * 20, b"0" * 5000):
        with pytest.raises(HttpError) as refused:
            Chunks(LIMITS).feed(size + b"\r\n")
        assert refused.value.status == 400
    assert Chunks(LIMITS).feed(b"0" * 900 + b"1\r\na\r\n") == [b"a"]


def test_a_head_with_such_numbers_elsewhere_is_served() -> None:
    assert framing_of(check(head(b"Age: " + b"9" * 5000, b"Max-Forwards: " + b"9" * 5000), LIMITS)).length is None
