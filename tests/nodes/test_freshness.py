"""Freshness: each test names its section of RFC 9111. Time is a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.edge import freshness
from nodes.http.dates import http_date
from nodes.http.message import Fields

NOW = 1_800_000_000.0


def response(*lines: str) -> Fields:
    pairs = (line.split(": ", 1) for line in (f"Date: {http_date(NOW)}", *lines))
    return Fields((name, value) for name, value in pairs)


@pytest.mark.parametrize(
    ("lines", "lifetime_s"),
    [
        (["Cache-Control: max-age=60"], 60),
        (["Cache-Control: max-age=60, s-maxage=5"], 5),
        (["Cache-Control: s-maxage=70", "Cache-Control: max-age=5"], 70),
        (['Cache-Control: max-age="60"'], 60),
        (["Cache-Control: MAX-AGE=60"], 60),
        ([f"Expires: {http_date(NOW + 90)}"], 90),
        (["Cache-Control: max-age=60", f"Expires: {http_date(NOW + 90)}"], 60),
        (["Expires: 0"], 0),
        (["Cache-Control: max-age=soon"], 0),
        (["Cache-Control: max-age=99999999999999"], 2**31),
        (["Cache-Control: max-age=1, max-age=2"], 1),
        ([], None),
        (['Cache-Control: ext="max-age=5, x"'], None),
    ],
)
def test_4_2_1_the_explicit_lifetime(lines: list[str], lifetime_s: float | None) -> None:
    assert freshness.lifetime(response(*lines)) == lifetime_s


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Cache-Control: no-store, max-age=9", "no-store"), ("Cache-Control: private", "private"),
        ("Cache-Control: no-cache", "no-cache"), ("Vary: *", "vary *"), ("Set-Cookie: a=b", "set-cookie"),
        ("X: y", "no lifetime"), ("Cache-Control: max-age=0", "stale at once"),
    ],
)  # fmt: skip
def test_3_what_a_shared_cache_may_not_store(line: str, why: str) -> None:
    assert freshness.storable("GET", Fields(), 200, response(line)).why == why


def test_3_only_whole_responses_to_get_are_stored() -> None:
    good = response("Cache-Control: max-age=60")
    assert freshness.storable("GET", Fields(), 200, good) == freshness.Verdict(True, 60)
    for method, status in (("POST", 200), ("HEAD", 200), ("GET", 206), ("GET", 404), ("GET", 301)):
        assert not freshness.storable(method, Fields(), status, good).store
    assert not freshness.storable("GET", Fields([("Authorization", "x")]), 200, good).store
    assert not freshness.storable("GET", Fields([("Cache-Control", "no-store")]), 200, good).store


def test_what_is_stale_at_once_is_stored_when_it_can_be_revalidated() -> None:
    assert freshness.storable("GET", Fields(), 200, response("Cache-Control: max-age=0", 'ETag: "a"')).store


@pytest.mark.parametrize(
    ("lines", "requested_s", "received_s", "age_s"),
    [
        ([], NOW, NOW + 0.3, 0.3),
        (["Age: 10"], NOW, NOW + 0.3, 10.3),
        ([], NOW + 100, NOW + 100, 100),
        (["Age: 10, 20"], NOW, NOW, 10),
        (["Age: old"], NOW, NOW, 0),
    ],
)
def test_4_2_3_the_age_when_it_arrives(
    lines: list[str], requested_s: float, received_s: float, age_s: float
) -> None:  # fmt: skip
    assert freshness.initial_age_s(response(*lines), requested_s, received_s) == pytest.approx(age_s)


def test_4_2_3_it_grows_while_it_rests() -> None:
    assert freshness.current_age_s(5, NOW, NOW + 60) == 65
    assert freshness.current_age_s(5, NOW, NOW - 60) == 5  # a clock that was set back makes nothing younger


def test_4_3_1_revalidation_asks_with_both_validators() -> None:
    stored = response('ETag: "a"', f"Last-Modified: {http_date(0)}")
    assert freshness.conditions(stored) == [("If-None-Match", '"a"'), ("If-Modified-Since", http_date(0))]


def test_3_2_a_304_updates_fields_but_not_those_of_the_bytes() -> None:
    stored = response("Cache-Control: max-age=1", "Content-Length: 5", "X-Kept: 1")
    updated = freshness.refreshed(stored, response("Cache-Control: max-age=9", "Content-Length: 0", "Age: 3"))
    assert updated.all("cache-control") == ["max-age=9"]
    assert (updated.get("content-length"), updated.get("x-kept"), updated.get("age")) == ("5", "1", None)
    assert len(updated.all("date")) == 1


@given(st.text(max_size=60))
def test_no_cache_control_breaks_the_parser(text: str) -> None:
    freshness.lifetime(Fields([("Cache-Control", text), ("Expires", text), ("Date", text), ("Age", text)]))
    freshness.initial_age_s(Fields([("Date", text), ("Age", text)]), NOW, NOW)
