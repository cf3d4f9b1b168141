"""What a client that goes by a ranked list says of its choice: `X-Longhaul-Steered: 1;miss=content;site=singapore`.

It is said for logs and metrics and changes no answer. The rank is that of the site in the list; `miss` is why it is not 0: the
file was not there (content), or the site was full, down or broke off (health). The form is an item of RFC 8941; what has
another form counts as not said.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nodes.http.message import Fields

FIELD = "x-longhaul-steered"
MISSES = ("content", "health")

RANK, PARAMETERS = r"\d{1,2}", r"(?:; ?[a-z]+=[A-Za-z*][A-Za-z0-9._:/*-]*){0,4}"
"""Regular expressions of the two parts of the item, for nginx too."""

_ITEM = re.compile(f"({RANK})({PARAMETERS})", re.ASCII)


class Steered(NamedTuple):
    """Rank of the site; `miss` and `site` are empty when they were not said."""

    rank: int
    miss: str
    site: str

    def as_dict(self) -> dict[str, int | str]:
        """For the access log."""
        return self._asdict()


def steered(fields: Fields) -> Steered | None:
    """What was said, if anything."""
    for name, value in fields.items:
        if len(name) == len(FIELD) and name.lower() == FIELD:
            return parse(value)
    return None


def parse(value: str) -> Steered | None:
    """The value of the field, or None when it has another form."""
    match = _ITEM.fullmatch(value.strip())
    if match is None:
        return None
    said = dict(part.strip().split("=", 1) for part in match[2].split(";") if part)
    miss = said.get("miss", "")
    return Steered(int(match[1]), miss, said.get("site", "")) if miss in ("", *MISSES) else None
