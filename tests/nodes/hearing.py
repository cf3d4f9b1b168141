"""What a server understands of the bytes that a client says, without a socket."""

from __future__ import annotations

from nodes.http.inbound import Inbound
from nodes.http.limits import Limits
from nodes.http.message import HttpError
from nodes.http.requests import RequestParser

LIMITS = Limits(body_bytes=1 << 40)
SMALL = Limits(request_line_bytes=32, fields_bytes=64, fields_count=3, body_bytes=10)


def hear(pieces: list[bytes], limits: Limits = LIMITS) -> list[object]:
    """(method, target, fields, content) of each request, and the status of a refusal at the end."""
    inbound, parser, heard = Inbound(limits), RequestParser(limits, "here:80"), []
    content: bytes | None = None
    try:
        for piece in pieces:
            inbound.feed(piece)
            while True:
                if inbound.in_content:
                    assert content is not None
                    content += b"".join(inbound.content())
                    if inbound.in_content:
                        break
                if content is not None:
                    heard[-1] = (*heard[-1], content)
                    content = None
                raw = inbound.head()
                if raw is None:
                    break
                request, framing = parser.parse(raw, "http")
                heard.append((request.method, request.target, tuple(request.fields.items)))
                inbound.frame(framing)
                content = b""
    except HttpError as error:
        heard.append(error.status)
    return heard
