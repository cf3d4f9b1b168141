"""The age of a response (RFC 9111, section 4.2.3).

It knows nothing of lifetimes. Clocks that go back make nothing younger.
"""

from __future__ import annotations

from nodes.edge.caching.directives import LONGEST_S
from nodes.edge.stored import Stored
from nodes.http.dates import parse_date
from nodes.http.message import Fields


def initial_age_s(fields: Fields, requested_s: float, received_s: float) -> float:
    """corrected_initial_age: how old the response was when it came."""
    dates = fields.all("date")
    date = parse_date(dates[0]) if dates else None
    # Date has whole seconds, so only whole seconds can tell an age.
    apparent = 0 if date is None else max(0, int(received_s) - date)
    return max(float(apparent), age_value_s(fields) + max(0.0, received_s - requested_s))


def age_value_s(fields: Fields) -> int:
    """The Age field: its first member, 0 when there is none or it is no number (section 5.1).

    A parameter behind the number is passed over, as RFC 9651 has it for an item: the number is the safer reading.
    """
    lines = fields.all("age")
    if not lines:
        return 0
    number = lines[0].partition(",")[0].partition(";")[0].strip()
    if not (number.isascii() and number.isdigit()):
        return 0
    return min(int(number), LONGEST_S) if len(number) <= 12 else LONGEST_S if number.strip("0") else 0


def current_age_s(stored: Stored, now_s: float) -> float:
    """current_age: the initial age and the time it has rested here."""
    return initial_age_s(stored.headers, stored.requested_s, stored.received_s) + max(0.0, now_s - stored.received_s)
