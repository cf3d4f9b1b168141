"""From the bytes of a head to a `Request`: the strict checks of `framing.py`, then httptools (llhttp) for the fields.

It reads no socket. The request line is read by the checks, because llhttp knows a fixed list of methods and versions and
a proxy passes what it does not know (RFC 9110, section 9.1); the parser is given a neutral one in its place.
"""

from __future__ import annotations

from functools import lru_cache

import httptools

from nodes.http import framing
from nodes.http.framing import Framing
from nodes.http.limits import Limits
from nodes.http.message import Fields, HttpError, Request
from nodes.http.target import parse_target, valid_authority

REMEMBERED, REMEMBERED_BYTES = 256, 2048
"""How many heads, of at most how many bytes."""
_NEUTRAL_LINE = b"POST * HTTP/1.1\r\n"


class RequestParser:
    """Makes requests from heads; one serves every connection, because a head is parsed in one go.

    `address` is the authority of a client that names none (HTTP/1.0 without Host).
    """

    def __init__(self, limits: Limits, address: str) -> None:
        self._limits, self._address = limits, address
        self._items: list[tuple[str, str]] = []
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._parse)
        self._new()

    def _new(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._again = False

    def on_message_complete(self) -> None:
        """Called by httptools, not for a request with content: that never reaches the parser."""
        self._again = self._parser.should_keep_alive()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by httptools."""
        self._items.append((name.decode("latin-1"), value.decode("latin-1").rstrip(" \t")))

    def parse(self, raw: bytes, scheme: str) -> tuple[Request, Framing]:
        """The request of a whole head, and how its content ends. Raises HttpError.

        What clients ask for often comes with the same head each time; the latest small ones are remembered.
        """
        if len(raw) > REMEMBERED_BYTES:
            return self._parse(raw, scheme)
        found, framed = self._remembered(raw, scheme)
        request = Request(
            found.method, found.target, found.version, found.fields.copy(), found.path, found.query, found.has_body,
            found.content_length, raw=raw, scheme=found.scheme, authority=found.authority, persistent=found.persistent,
        )  # fmt: skip
        return request, framed

    def _parse(self, raw: bytes, scheme: str) -> tuple[Request, Framing]:
        head = framing.check(raw, self._limits)
        if head.major != 1:
            raise HttpError(505, f"HTTP/{head.major}.{head.minor} is not served here", close=True)
        framed = framing.framing_of(head)
        items = self._fields(head.fields)
        hosts: list[str] = []
        persistent = head.minor > 0  # a later minor version is served as 1.1: RFC 9110, section 2.5
        for name, value in items:
            lower = name.lower()
            if lower == "host":
                hosts.append(value)
            elif lower == "connection":
                persistent = _persistence(value, persistent)
        if head.method == "CONNECT":
            raise HttpError(501, "tunnels are not served here", close=True)
        target = parse_target(head.method, head.target)
        if target is None:
            raise HttpError(400, "the target is malformed", close=True)
        authority = self._authority(head.minor, hosts, target.authority)
        if target.scheme == "https" and scheme != "https":  # RFC 9110, section 7.4
            raise HttpError(421, "an https resource is not served on a connection without TLS", close=True)
        request = Request(
            head.method, head.target, f"1.{min(head.minor, 1)}", Fields(items), target.path, target.query,
            raw=raw, scheme=target.scheme or scheme, authority=authority, persistent=persistent,
        )  # fmt: skip
        request.has_body = framed.chunked or bool(framed.length)
        request.content_length = framed.length
        return request, framed

    def _fields(self, block: bytes) -> list[tuple[str, str]]:
        items: list[tuple[str, str]] = []
        self._items = items
        try:
            self._parser.feed_data(_NEUTRAL_LINE + block)
        except httptools.HttpParserUpgrade:
            self._again = False  # an Upgrade is ignored: RFC 9110, section 7.8
        except httptools.HttpParserError as error:
            self._new()
            raise HttpError(400, f"the request is malformed: {error}", close=True) from error
        if not self._again:
            self._new()
        self._again = False
        return items

    def _authority(self, minor: int, hosts: list[str], named: str | None) -> str:
        """RFC 9112, sections 3.2 and 3.2.2: one valid Host, and the target's own authority before it."""
        if len(hosts) > 1 or (minor > 0 and not hosts):
            raise HttpError(400, "a request must carry exactly one Host field", close=True)
        if hosts and not valid_authority(hosts[0]):
            raise HttpError(400, "the Host field is not a host", close=True)
        return named or (hosts[0] if hosts else self._address)


def _persistence(value: str, before: bool) -> bool:
    """RFC 9112, section 9.3: `close` wins over anything else."""
    options = [part.strip(" \t").lower() for part in value.split(",")]
    if "close" in options:
        return False
    return before or "keep-alive" in options
