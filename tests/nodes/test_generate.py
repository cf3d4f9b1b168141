"""Generated objects: any range equals the slice of the whole, and nothing else looks like it."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.origin.generate import BLOCK_BYTES, content, etag, sha256

SIZE = 5 * BLOCK_BYTES + 123
WHOLE = content("a", SIZE, 0, SIZE)


@given(st.integers(0, SIZE + 10), st.integers(0, SIZE + 10))
def test_a_range_equals_the_slice_of_the_whole(start: int, length: int) -> None:
    assert content("a", SIZE, start, length) == WHOLE[start : start + length]


@settings(max_examples=30)
@given(st.text(max_size=20), st.integers(0, 3 * BLOCK_BYTES))
def test_the_digest_is_that_of_the_bytes(name: str, size: int) -> None:
    assert sha256(name, size) == hashlib.sha256(content(name, size, 0, size)).digest()


def test_the_bytes_never_change_between_versions() -> None:
    """Clients check digests without a copy, perhaps of objects that an older origin made."""
    assert hashlib.sha256(WHOLE).hexdigest() == "5b7df565aaab35e50cd81d127307bc03a4f8660a49edf3b3d2481fe910a22e1d"


def test_name_and_size_both_matter() -> None:
    others = {content("a", 1000, 0, 500), content("b", 1000, 0, 500), content("a", 1001, 0, 500)}
    assert len(others) == 3
    assert len({etag("a", 1000), etag("b", 1000), etag("a", 1001)}) == 3


def test_no_two_blocks_are_alike() -> None:
    blocks = {WHOLE[start : start + BLOCK_BYTES] for start in range(0, 5 * BLOCK_BYTES, BLOCK_BYTES)}
    assert len(blocks) == 5


def test_a_range_far_into_a_huge_object_needs_no_prefix() -> None:
    assert len(content("a", 2**40, 2**40 - 10, 100)) == 10


def test_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        content("a", 10, -1, 5)
