"""Request field values in a form in which equal meanings are equal texts (RFC 9111, section 4.1).

It only takes away differences that the field's own definition calls meaningless; it prefers no language or encoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from nodes.edge.caching.directives import LONGEST_REMEMBERED, split_list

_QVALUE = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?", re.ASCII)
_ONE_VALUE = frozenset(
    ("user-agent", "cookie", "authorization", "referer", "host", "from", "date", "origin", "proxy-authorization",
     "if-modified-since", "if-unmodified-since", "if-range", "x-forwarded-host", "sec-ch-ua")
)  # fmt: skip
"""Fields that are no lists, or whose commas may belong to a text: white space within them is left alone."""


def normalised(name: str, value: str) -> str:
    """`name` in lower case; `value` all lines of the field, joined by commas (RFC 9110, section 5.3)."""
    return _remembered(name, value) if len(value) <= LONGEST_REMEMBERED else _normal(name, value)


@lru_cache(maxsize=8192)
def _remembered(name: str, value: str) -> str:
    return _normal(name, value)


def _normal(name: str, value: str) -> str:
    if name in _ONE_VALUE:
        return value.strip()
    rule = _RULES.get(name)
    return ",".join(split_list(value)) if rule is None else rule(value)


def _preferences(value: str, element: Callable[[str], str], *, ordered: bool = False) -> str:
    """A list with weights (RFC 9110, section 12.4.2); unless it is `ordered`, its order says nothing (12.5.1, 12.5.3)."""
    found = []
    for member in split_list(value):
        text, *parameters = (part.strip() for part in member.split(";"))
        weight, kept = 1.0, []
        for parameter in parameters:
            key, _, given = parameter.partition("=")
            if key.strip().lower() == "q":
                weight = _weight(given.strip())
            elif parameter:
                kept.append(f"{key.strip().lower()}={given.strip()}")
        found.append(";".join([element(text), *kept]) + ("" if weight == 1.0 else f";q={weight:g}"))
    once = dict.fromkeys(found)
    return ",".join(once if ordered else sorted(once))


def _weight(text: str) -> float:
    return float(text) if _QVALUE.fullmatch(text) else 1.0


def _coding(text: str) -> str:
    """Content codings have no case, and two have an old name (RFC 9110, section 8.4.1)."""
    lower = text.lower()
    return {"x-gzip": "gzip", "x-compress": "compress"}.get(lower, lower)


_RULES: dict[str, Callable[[str], str]] = {
    "accept": lambda value: _preferences(value, str.lower),
    "accept-charset": lambda value: _preferences(value, str.lower),
    "accept-encoding": lambda value: _preferences(value, _coding),
    # Some origins take the order of languages of one weight for a preference (RFC 9110, section 12.5.4).
    "accept-language": lambda value: _preferences(value, str.lower, ordered=True),
}
