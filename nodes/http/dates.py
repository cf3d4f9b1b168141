"""HTTP dates (RFC 9110, section 5.6.7) to and from seconds since 1970.

It is not a calendar: only the three forms that HTTP allows, always GMT. Names are matched without regard to case
(RFC 9111, section 4.2); everything else must be exact, since a cache takes a malformed date as one in the past.
"""

from __future__ import annotations

import re
import time
from datetime import date
from email.utils import formatdate
from functools import lru_cache

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_SHORT = "(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_SHORT}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",  # IMF-fixdate
        rf"{_LONG}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",  # RFC 850, obsolete
        rf"{_SHORT} {_MONTH} (?P<day>\d\d| \d) {_TIME} (?P<year>\d{{4}})",  # asctime, obsolete
    )
)
LONGEST = 64
"""Characters that may be a date with white space around it."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()


def http_date(seconds: float) -> str:
    """IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`; fractions of a second are dropped."""
    return _fixdate(int(seconds))


@lru_cache(maxsize=256)
def _fixdate(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def parse_date(text: str | None, this_year: int | None = None) -> int | None:
    """Seconds since 1970, or None for what is not an HTTP date (most recipients ignore such a field).

    `this_year` decides the century of the obsolete form with a two-digit year; by default it is the machine's.
    """
    # No date is longer than this, and what is longer need not be remembered.
    return None if text is None or len(text) > LONGEST else _parse(text.strip(" \t"), this_year)


@lru_cache(maxsize=4096)
def _parse(text: str, this_year: int | None) -> int | None:
    match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if match is None:
        return None
    year, hour, minute, second = (int(match[name]) for name in ("year", "hour", "minute", "second"))
    if len(match["year"]) == 2:
        year = _full_year(year, this_year if this_year is not None else time.gmtime().tm_year)
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        return None
    try:
        day = date(year, _MONTHS.index(match["month"].lower()) + 1, int(match["day"])).toordinal()
    except ValueError:
        return None
    return (day - _EPOCH_DAY) * 86400 + hour * 3600 + minute * 60 + second


def _full_year(two_digits: int, this_year: int) -> int:
    """What seems to be more than 50 years ahead is the latest such year in the past (section 5.6.7)."""
    year = this_year - this_year % 100 + two_digits
    if year > this_year + 50:
        return year - 100
    return year + 100 if year + 100 <= this_year + 50 else year
