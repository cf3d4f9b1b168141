"""HTTP dates: RFC 9110, section 5.6.7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.dates import http_date, parse_date

MOMENT = 784_111_777


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
     "sun, 06 nov 1994 08:49:37 gmt", "SUN, 06 NOV 1994 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT\t"],
)  # fmt: skip
def test_the_three_forms_in_any_case(text: str) -> None:
    assert parse_date(text, 2026) == MOMENT


@pytest.mark.parametrize(
    "text",
    [None, "", "0", "-1", "784111777", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000",
     "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT",
     "Sun 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
     "Sun, 06 Nov 1994 08.49.37 GMT", "Sun,  06 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
     "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
     "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun Nov 6 08:49:37 1994",
     "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", "Sun, ٠٦ Nov 1994 08:49:37 GMT"],
)  # fmt: skip
def test_all_else_is_no_date(text: str | None) -> None:
    assert parse_date(text) is None


def test_a_leap_second_and_a_leap_day() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_date("Sun, 01 Jan 2017 00:00:00 GMT")
    assert parse_date("Thu, 29 Feb 2024 00:00:00 GMT") is not None
    assert parse_date("Wed, 29 Feb 2023 00:00:00 GMT") is None


@pytest.mark.parametrize(
    ("year", "this_year", "means"),
    [
        (76, 2026, 2076),
        (77, 2026, 1977),
        (26, 2026, 2026),
        (25, 2026, 2025),
        (10, 2090, 2110),
        (40, 2090, 2140),
        (41, 2090, 2041),
    ],
)
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(year: int, this_year: int, means: int) -> None:
    assert parse_date(f"Monday, 01-Jan-{year:02} 00:00:00 GMT", this_year) == parse_date(f"Mon, 01 Jan {means} 00:00:00 GMT")


@given(st.integers(-62_135_596_800 + 86400, 253_402_300_799))
def test_what_is_written_is_read(seconds: int) -> None:
    assert parse_date(http_date(seconds)) == seconds
