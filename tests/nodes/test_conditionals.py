"""Conditional requests: each test names its section of RFC 9110."""

import pytest

from nodes.http.conditionals import select
from nodes.http.message import Fields

MODIFIED = "Sat, 01 Jan 2000 00:00:00 GMT"
BEFORE = "Fri, 31 Dec 1999 23:59:59 GMT"
AFTER = "Sat, 01 Jan 2000 00:00:01 GMT"
TAG = '"v1"'


def status(*fields: tuple[str, str], method: str = "GET", etag: str | None = TAG) -> int:
    return select(method, Fields(fields), etag, MODIFIED, 100).status


@pytest.mark.parametrize(
    ("value", "expected"),
    [(TAG, 200), ('"v0", "v1"', 200), ("*", 200), ('"v0"', 412), ('W/"v1"', 412)],
)
def test_13_1_1_if_match_compares_strongly(value: str, expected: int) -> None:
    assert status(("If-Match", value)) == expected


def test_13_1_1_a_weak_validator_never_matches_if_match() -> None:
    assert status(("If-Match", 'W/"v1"'), etag='W/"v1"') == 412


@pytest.mark.parametrize(
    ("value", "expected"), [(TAG, 304), ('W/"v1"', 304), ("*", 304), ('"v0"', 200), ('"v0","v1"', 304), ("junk", 200)]
)
def test_13_1_2_if_none_match_compares_weakly(value: str, expected: int) -> None:
    assert status(("If-None-Match", value)) == expected
    assert status(("If-None-Match", value), method="HEAD") == expected
    assert status(("If-None-Match", value), method="PUT") == (412 if expected == 304 else 200)


@pytest.mark.parametrize(("date", "expected"), [(BEFORE, 200), (MODIFIED, 304), (AFTER, 304), ("yesterday", 200)])
def test_13_1_3_if_modified_since(date: str, expected: int) -> None:
    assert status(("If-Modified-Since", date)) == expected


@pytest.mark.parametrize(("date", "expected"), [(BEFORE, 412), (MODIFIED, 200), (AFTER, 200), ("yesterday", 200)])
def test_13_1_4_if_unmodified_since(date: str, expected: int) -> None:
    assert status(("If-Unmodified-Since", date)) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(TAG, 206), ('"v0"', 200), ('W/"v1"', 200), (MODIFIED, 206), (BEFORE, 200), (AFTER, 200)]
)
def test_13_1_5_if_range_decides_between_part_and_whole(value: str, expected: int) -> None:
    assert status(("Range", "bytes=0-9"), ("If-Range", value)) == expected


def test_13_2_2_if_match_hides_if_unmodified_since() -> None:
    assert status(("If-Match", TAG), ("If-Unmodified-Since", BEFORE)) == 200


def test_13_2_2_if_none_match_hides_if_modified_since() -> None:
    assert status(("If-None-Match", '"v0"'), ("If-Modified-Since", AFTER)) == 200


def test_13_2_2_if_match_is_evaluated_before_if_none_match() -> None:
    assert status(("If-Match", '"v0"'), ("If-None-Match", TAG)) == 412


def test_13_2_2_preconditions_come_before_the_range() -> None:
    assert status(("If-None-Match", TAG), ("Range", "bytes=500-")) == 304
    assert status(("If-None-Match", '"v0"'), ("Range", "bytes=500-")) == 416


def test_14_2_a_range_counts_for_get_only() -> None:
    assert status(("Range", "bytes=0-9"), method="HEAD") == 200
    assert status(("Range", "bytes=500-"), method="HEAD") == 200


def test_13_1_1_a_cache_passes_over_if_match_and_if_unmodified_since() -> None:
    asked = Fields([("If-Match", '"v0"'), ("If-Unmodified-Since", BEFORE)])
    assert select("GET", asked, TAG, MODIFIED, 100, origin=False).status == 200


def test_13_1_5_a_weak_date_never_makes_a_part() -> None:
    asked = Fields([("Range", "bytes=0-9"), ("If-Range", MODIFIED)])
    assert select("GET", asked, TAG, MODIFIED, 100, date_is_strong=False).status == 200


def test_14_2_several_ranges_are_for_those_who_can_send_them() -> None:
    asked = Fields([("Range", "bytes=0-9,500-509")])
    assert select("GET", asked, TAG, MODIFIED, 1000).status == 200
    chosen = select("GET", asked, TAG, MODIFIED, 1000, several=True)
    assert (chosen.status, chosen.parts) == (206, ((0, 10), (500, 10)))
    assert (chosen.start, chosen.length) == (0, 10)


def test_13_1_3_two_dates_are_none() -> None:
    assert status(("If-Modified-Since", AFTER), ("If-Modified-Since", AFTER)) == 200
