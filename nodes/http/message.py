"""HTTP messages as values: fields, requests and refusals.

Nothing here reads or writes a socket; the wire is in `connection.py` and `upstream.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Protocol

from nodes.http.target import effective_uri

HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
     "proxy-authenticate", "proxy-authorization", "http2-settings")
)  # fmt: skip
"""Fields of one connection only, lower case: RFC 9110, section 7.6.1."""

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"""RFC 9110, section 9.2.1."""


class Fields:
    """Header fields in wire order; names match without regard to case. It is not a dict: a name may stand twice."""

    __slots__ = ("items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items: list[tuple[str, str]] = list(items)

    def get(self, name: str) -> str | None:
        """All values of a field joined by commas (RFC 9110, section 5.3), or None when it is absent."""
        values = self.all(name)
        if not values:
            return None
        return values[0] if len(values) == 1 else ", ".join(values)

    def all(self, name: str) -> list[str]:
        """Each value of a field, in order."""
        wanted = name.lower()
        return [value for key, value in self.items if key.lower() == wanted]

    def __contains__(self, name: str) -> bool:
        wanted = name.lower()
        return any(key.lower() == wanted for key, _ in self.items)

    def add(self, name: str, value: str) -> None:
        """One more line."""
        self.items.append((name, value))

    def put(self, name: str, value: str) -> None:
        """This value and no other of that name."""
        self.drop(name)
        self.items.append((name, value))

    def drop(self, *names: str) -> None:
        """Remove every line of these names."""
        unwanted = {name.lower() for name in names}
        self.items = [item for item in self.items if item[0].lower() not in unwanted]

    def copy(self) -> Fields:
        """An independent copy."""
        return Fields(self.items)

    def tokens(self, name: str) -> list[str]:
        """The members of a comma-separated list of tokens, lower case."""
        return [part.strip().lower() for part in (self.get(name) or "").split(",") if part.strip()]


def end_to_end(fields: Fields) -> Fields:
    """The fields an intermediary passes on: without those of the connection and those `Connection` names."""
    tokens = fields.tokens("connection")
    named = HOP_BY_HOP.union(tokens) if tokens else HOP_BY_HOP
    return Fields(item for item in fields.items if item[0].lower() not in named)


class Body(Protocol):
    """The bytes of a request's content; iterated at most once."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


@dataclass
class Request:
    """One request as it arrived. `target` is as on the wire; `path` and `query` are its parts, not decoded.

    `begun` is what the application's `try_now` has begun with it, for `handle` to go on with.
    `raw` is the head exactly as received, the empty line included. `authority` is the effective host and port: that of an
    absolute-form target before that of Host (RFC 9112, section 3.2.2). `persistent` is whether the client wants the
    connection kept (section 9.3). `received_at` is in seconds of the event loop's clock.
    """

    method: str
    target: str
    version: str
    fields: Fields
    path: str
    query: str
    has_body: bool = False
    content_length: int | None = None
    body: Body | None = None
    client: str = "-"
    request_id: str = "-"
    received_at: float = 0.0
    raw: bytes = b""
    scheme: str = "http"
    authority: str = ""
    persistent: bool = True
    begun: Any = None

    @cached_property
    def uri(self) -> str:
        """The effective request URI, normalised as RFC 9110, section 4.2.3 allows: equal URIs are equal text."""
        return effective_uri(self.scheme, self.authority, self.target, self.path, self.query)


@dataclass
class Outcome:
    """What the access log says of a request beyond its status; the daemon's handler fills it in."""

    result: str = "-"
    cache_status: str = "-"
    upstream_ms: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)


class HttpError(Exception):
    """A refusal with a status, a sentence for the client and perhaps fields; not a failure of this program."""

    def __init__(self, status: int, text: str, fields: Iterable[tuple[str, str]] = (), close: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.fields = list(fields)
        self.close = close


_RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
"""RFC 9110, section 15.5; before Python 3.13 `http` has the phrases of older standards."""

_REASONS = {status.value: status.phrase for status in HTTPStatus} | _RENAMED


def reason(status: int) -> str:
    """The reason phrase of a status code; empty for one without a registered phrase (RFC 9112, section 4)."""
    return _REASONS.get(status, "")


def bodyless(method: str, status: int) -> bool:
    """Whether a response has no content whatever its fields say: RFC 9112, section 6.3."""
    return method == "HEAD" or status in (204, 304) or status < 200


def head_bytes(status: int, fields: Fields, phrase: str | None = None) -> bytes:
    """The status line and field block of a response, with the empty line. `phrase` is an origin's own reason."""
    lines = [f"HTTP/1.1 {status} {reason(status) if phrase is None else phrase}"]
    lines += [f"{name}: {value}" for name, value in fields.items]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request_bytes(method: str, target: str, fields: Fields) -> bytes:
    """The request line and field block of a request, with the empty line."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
