"""Updating stored header fields from a newer response (RFC 9111, section 3.2).

It does not decide which stored response is to be updated; `validation.py` and `partial.py` do.
"""

from __future__ import annotations

from nodes.edge.caching.policy import policy
from nodes.http.dates import http_date
from nodes.http.message import Fields, end_to_end

UNCHANGED = frozenset(
    ("content-length", "content-encoding", "content-range", "content-md5", "content-digest",
     "proxy-authenticate", "proxy-authentication-info", "proxy-authorization")
)  # fmt: skip
"""Fields that an update leaves as they are.

Content-Length by section 3.2; the others of content because they speak of the bytes that are kept, which the update does
not bring (a 304 has no content, so an origin may well send the digest of nothing); those of proxies by section 3.1.
"""


def merged(stored: tuple[tuple[str, str], ...], answer: Fields, received_s: float) -> tuple[tuple[str, str], ...]:
    """The stored fields in which each field of the answer has taken the place of those of its name.

    An old Age goes, and Date is that of the answer, else when it came: both tell of the last validation (4.2.3).
    """
    new = end_to_end(answer)
    new.drop(*UNCHANGED)
    if "date" not in new:
        new.put("Date", http_date(received_s))
    replaced = {name.lower() for name, _ in new.items} | {"age"}
    result: list[tuple[str, str]] = []
    placed: set[str] = set()
    for name, value in stored:
        key = name.lower()
        if key not in replaced:
            result.append((name, value))
        elif key not in placed:
            placed.add(key)
            result += [item for item in new.items if item[0].lower() == key]
    result += [item for item in new.items if item[0].lower() not in placed]
    updated = Fields(result)
    updated.drop(*policy(updated).directives.names("private"))  # section 5.2.2.7
    return tuple(updated.items)
