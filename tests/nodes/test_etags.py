"""Entity tags: RFC 9110, section 8.8.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.etags import is_strong, members, strongly_equal, weakly_equal


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_8_8_3_2_the_table_of_the_standard(one: str, other: str, strong: bool, weak: bool) -> None:
    assert (strongly_equal(one, other), weakly_equal(one, other)) == (strong, weak)


@pytest.mark.parametrize(
    ("value", "tags"),
    [('"a"', ['"a"']), ('"a", W/"b" ,"c"', ['"a"', 'W/"b"', '"c"']), ('"a,b", "c"', ['"a,b"', '"c"']), ("a,b", ["a", "b"]),
     (", ,", []), ('W\\"a"', ['W\\"a"']), ('"a, b', ['"a', "b"])],
)  # fmt: skip
def test_lists(value: str, tags: list[str]) -> None:
    assert members(value) == tags


@pytest.mark.parametrize("tag", ["abc", "'abc'", 'W\\"abc"', 'W"abc"', '"a"b"', '"', ""])
def test_what_is_no_tag_equals_itself_weakly_and_is_never_strong(tag: str) -> None:
    assert weakly_equal(tag, tag)
    assert not strongly_equal(tag, tag)
    assert not is_strong(tag)
    assert not weakly_equal(tag, '"other"')


def test_a_small_w_is_a_weak_mark_that_was_miswritten() -> None:
    assert weakly_equal('w/"a"', '"a"')
    assert not strongly_equal('w/"a"', 'w/"a"')


def test_nothing_equals_no_tag() -> None:
    assert not weakly_equal(None, None)
    assert not strongly_equal('"a"', None)


TAGS = st.one_of(st.sampled_from(['"a"', 'W/"a"', '"b"', "a", 'w/"a"', 'W/"b"', '""']), st.text(max_size=6))


@given(TAGS, TAGS, TAGS)
def test_the_laws_of_both_comparisons(one: str, two: str, three: str) -> None:
    for equal in (weakly_equal, strongly_equal):
        assert equal(one, two) is equal(two, one)
        if equal(one, two) and equal(two, three):
            assert equal(one, three)
    assert weakly_equal(one, one)
    assert strongly_equal(one, one) is is_strong(one)
    if strongly_equal(one, two):
        assert weakly_equal(one, two)
