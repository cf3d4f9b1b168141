"""What can go wrong with an origin, where it went wrong, and whether to ask again.

It decides; it does not ask.
"""

from __future__ import annotations

from typing import Literal

from nodes.http.message import SAFE_METHODS

Phase = Literal["queue", "connect", "tls", "request", "first-byte", "head", "content"]
"""`queue`: no connection came free; `request`: while the request was sent; `first-byte`: no byte of a response had come;
`head`: within the head; `content`: after the head."""


class UpstreamError(Exception):
    """The origin did not give a whole response; the message is for the client of a gateway and for logs.

    `timeout` says that it took too long; `malformed` that it sent what HTTP does not allow; `fresh` that an open
    connection ended before any byte of a response.
    """

    def __init__(self, text: str, phase: Phase = "content", *, timeout: bool = False, malformed: bool = False) -> None:
        super().__init__(text)
        self.phase = phase
        self.timeout = timeout
        self.malformed = malformed

    @property
    def fresh(self) -> bool:
        """Whether the connection ended before any byte of a response."""
        return self.phase in ("request", "first-byte") and not self.timeout

    @property
    def status(self) -> int:
        """What a gateway answers: RFC 9110, sections 15.6.3 and 15.6.5."""
        return 504 if self.timeout else 502


def may_repeat(error: UpstreamError, method: str, *, has_body: bool, reused: bool) -> bool:
    """Whether the request may be sent again on a new connection: RFC 9110, section 9.2.2; RFC 9112, section 9.3.1.

    Only a safe request without content, and only when a kept connection ended before any byte: then it is likely that
    the origin had closed it before it saw the request.
    """
    return error.fresh and reused and not has_body and method in SAFE_METHODS
