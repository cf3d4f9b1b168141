"""Tables of caching cases: TOML files named by their section of the standard, read into values.

Each `[[case]]` says what must be in words (`says`) and gives messages as text: a request begins with its method and target,
a response with its status, then come header lines. `{now}`, `{now+60}` and `{now-60}` stand for HTTP dates, counted from
the moment NOW at which a response is received unless the case says otherwise.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nodes.edge.caching import storing, variants
from nodes.edge.stored import Part, Stored
from nodes.http.dates import http_date
from nodes.http.message import Fields

NOW = 1_767_225_600.0
BASE = "http://a.example"
_DATE = re.compile(r"\{now([+-]\d+)?\}")


@dataclass
class Asking:
    """A request as the decisions see it."""

    method: str
    uri: str
    fields: Fields


def cases(section: str) -> Any:
    """A decorator that runs a test once for each case of a file, under the words of its `says`."""
    with (Path(__file__).parent / f"{section}.toml").open("rb") as file:
        found = tomllib.load(file)["case"]
    return pytest.mark.parametrize("case", found, ids=[case["says"] for case in found])


def fields(text: str) -> Fields:
    """Header lines, with the dates filled in."""
    filled = _DATE.sub(lambda found: http_date(NOW + int(found[1] or 0)), text)
    pairs = (line.partition(":") for line in filled.strip("\n").split("\n") if line.strip())
    return Fields((name.strip(), value.strip()) for name, _, value in pairs)


def request(text: str = "GET /") -> Asking:
    """A request to BASE."""
    head, _, rest = text.strip("\n").partition("\n")
    method, _, target = head.partition(" ")
    return Asking(method, target if "://" in target else BASE + target, fields(rest))


def response(text: str) -> tuple[int, Fields]:
    """The status and the fields."""
    head, _, rest = text.strip("\n").partition("\n")
    return int(head), fields(rest)


def parts(spans: list[list[int]]) -> tuple[Part, ...]:
    """Parts as [start, length] pairs."""
    return tuple(Part(start, length, b"") for start, length in spans)


def stored(case: dict[str, Any], name: str = "stored", by: str = "stored_for") -> Stored:
    """What is in the cache after a request got a response, both given in the case.

    Optional: `requested` and `received` (seconds from NOW), `size` (10 bytes, or "unknown"), `parts` (all of it).
    """
    asking = request(case.get(by, "GET /"))
    status, given = response(case[name])
    received_s = NOW + case.get("received", 0)
    size = None if case.get("size") == "unknown" else case.get("size", 10)
    return Stored(
        key="key", primary="key", uri=asking.uri, method="GET", status=storing.stored_status(status), reason="OK",
        fields=storing.kept_fields(status, given, received_s),
        vary=variants.vary_values(asking.fields, given) or (),
        requested_s=NOW + case.get("requested", case.get("received", 0)), received_s=received_s, size_bytes=size,
        parts=parts(case.get("parts", [] if size is None else [[0, size]])),
    )  # fmt: skip
