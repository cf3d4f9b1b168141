"""HTTP dates (RFC 9110, section 5.6.7) to and from seconds since 1970.

It is not a calendar: only the three forms that HTTP allows, always GMT.
"""

from __future__ import annotations

import calendar
import time
from email.utils import formatdate
from functools import lru_cache

_FORMS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


def http_date(seconds: float) -> str:
    """IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`; fractions of a second are dropped."""
    return _fixdate(int(seconds))


@lru_cache(maxsize=256)
def _fixdate(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


@lru_cache(maxsize=1024)
def parse_date(text: str | None) -> int | None:
    """Seconds since 1970, or None for what is not an HTTP date (a recipient ignores such a field)."""
    for form in _FORMS:
        try:
            return calendar.timegm(time.strptime((text or "").strip(), form))
        except ValueError:
            continue
    return None
