"""What the query of a generated object says of its response: a small language for teaching and for tests.

    think=40ms  rate=10mbit          wait before the first byte; pace the content
    status=503                       this status, for any method, without conditions or ranges
    framing=chunked                  no Content-Length
    header=NAME:VALUE                one more field, any number of times
    NAME=VALUE                       for the names of SHORT, such as cache-control, vary, etag: the field with this value
                                     instead of the usual; an empty value leaves it out

`/objects/1KiB/a?cache-control=max-age=60,+public&vary=Accept&etag=v2` is an example; `etag=v2` and `etag=W/v2` stand for
"v2" and W/"v2". Other names mean nothing here and belong to the URL alone. It reads the query and decides nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from nodes.http.dates import parse_date
from nodes.http.message import HOP_BY_HOP, Fields
from units import bits_per_second, milliseconds

SHORT = ("cache-control", "cdn-cache-control", "vary", "etag", "last-modified", "expires", "age", "pragma", "location",
         "content-location", "content-type", "content-language", "retry-after", "set-cookie", "link", "cache-groups",
         "cache-group-invalidation", "accept-ranges", "repr-digest")  # fmt: skip
SERVERS_OWN = HOP_BY_HOP | {"content-length"}
LONGEST_THINK_MS = 60_000.0
SLOWEST_BPS = 1000

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_ETAG = re.compile(r'(W/)?(?:"([\x21\x23-\x7e]*)"|([A-Za-z0-9._~-]+))')


class ScriptError(ValueError):
    """A query that cannot be carried out; the message names the setting and what is allowed."""


@dataclass
class Script:
    """None where the query says nothing. `fields` replace those of the same name; a value of None removes them."""

    think_ms: float | None = None
    rate_bps: int | None = None
    status: int | None = None
    chunked: bool = False
    fields: list[tuple[str, str | None]] = field(default_factory=list)

    def value(self, name: str, otherwise: str | None) -> str | None:
        """What the response's field `name` is to be."""
        found = [value for key, value in self.fields if key.lower() == name]
        return found[-1] if found else otherwise

    def apply(self, fields: Fields) -> None:
        """Change a response's fields."""
        fields.drop(*(name for name, _ in self.fields))
        fields.items += [(name, value) for name, value in self.fields if value is not None]


def parse(query: str) -> Script:
    """The script of a query that is not decoded. Raises ScriptError."""
    script = Script()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100, encoding="latin-1")
        for name, value in pairs:
            _take(script, name, value)
    except ScriptError:
        raise
    except ValueError as error:  # of units, or a query of more than 100 settings
        raise ScriptError(str(error)) from error
    return script


def _take(script: Script, name: str, value: str) -> None:
    if name == "think":
        script.think_ms = milliseconds(value)
        if not 0 <= script.think_ms <= LONGEST_THINK_MS:
            raise ScriptError(f"think={value} is not within 0s and 60s")
    elif name == "rate":
        script.rate_bps = bits_per_second(value)
        if script.rate_bps < SLOWEST_BPS:
            raise ScriptError(f"rate={value} is below 1kbit")
    elif name == "status":
        if not re.fullmatch(r"[2-9]\d\d", value, re.ASCII):
            raise ScriptError(f"status={value} is not within 200 and 999")
        script.status = int(value)
    elif name == "framing":
        if value not in ("length", "chunked"):
            raise ScriptError(f"framing={value} is neither length nor chunked")
        script.chunked = value == "chunked"
    elif name == "header":
        field_name, colon, field_value = value.partition(":")
        if not colon or not _TOKEN.fullmatch(field_name) or field_name.lower() in SERVERS_OWN:
            raise ScriptError(f"header={value} is not NAME:VALUE of a field that a script may set")
        script.fields.append((field_name, _checked(field_name, field_value.strip())))
    elif name in SHORT:
        script.fields.append(("-".join(part.capitalize() for part in name.split("-")) if name != "etag" else "ETag",
                              _checked(name, value) if value else None))  # fmt: skip


def _checked(name: str, value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ScriptError(f"{name} holds what no field value may hold; printable ASCII is allowed")
    if name.lower() == "etag":
        tag = _ETAG.fullmatch(value)
        if tag is None:
            raise ScriptError(f"etag={value} is not an entity tag; write v1 or W/v1")
        return f'{tag[1] or ""}"{tag[2] or tag[3] or ""}"'
    if name.lower() == "last-modified" and parse_date(value) is None:
        raise ScriptError(f"last-modified={value} is not an HTTP date such as Sun, 06 Nov 1994 08:49:37 GMT")
    return value
