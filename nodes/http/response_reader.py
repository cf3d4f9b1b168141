"""The response to one request, from its bytes: interim responses, head, content, trailers.

It does no input or output and keeps no time: `feed` it what came and tell it when the connection ended. Bytes behind
the response are not a second one: nothing was asked.
"""

from __future__ import annotations

import re
from collections import deque

from nodes.http.chunked import ChunkedReader
from nodes.http.field_block import Malformed
from nodes.http.message import Fields
from nodes.http.response import LARGEST_HEAD_BYTES, Framing, Response, parse_head

MOST_INTERIM = 100
_BARE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")


class ResponseReader:
    """Feed it; `response` is the final head when it is there, `complete` says that the content is whole."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._head = b""
        self._left = 0
        self._chunks = ChunkedReader()
        self._interim_count = 0
        self.started = False
        self.response: Response | None = None
        self.interim: deque[tuple[int, Fields]] = deque()
        self.complete = False
        self.excess = False
        """Whether more came than the response: the connection is not to be trusted any further."""

    @property
    def keep(self) -> bool:
        """Whether another request may follow on the connection."""
        return self.complete and not self.excess and self.response is not None and self.response.keep

    def feed(self, data: bytes) -> list[bytes]:
        """The content that is in `data`. Raises Malformed."""
        self.started = True
        if self.response is None:
            data = self._feed_head(data)
            if self.response is None:
                return []
        if not data:
            return []
        if self.complete:
            self.excess = True
            return []
        framing = self.response.framing
        if framing is Framing.LENGTH:
            if len(data) > self._left:
                self.excess, data = True, data[: self._left]
            self._left -= len(data)
            self.complete = self._left == 0
            return [data]
        if framing is Framing.CHUNKED:
            found = self._chunks.feed(data)
            if self._chunks.complete:
                self.complete, self.excess = True, bool(self._chunks.rest)
                self.response.trailers = self._chunks.trailers
            return found
        return [data]

    def end(self, *, orderly: bool) -> None:
        """The origin sends no more; `orderly` when it said so itself (FIN, and close_notify under TLS).

        Only then is content that lasts until the close whole (RFC 9112, sections 6.3 and 9.8).
        """
        if orderly and self.response is not None and self.response.framing is Framing.CLOSE:
            self.complete = True

    def _feed_head(self, data: bytes) -> bytes:
        """Take heads until the final one is there; gives what follows it."""
        seen = max(0, len(self._head) - 3)
        data = self._head + data
        while self.response is None and data:
            if not data.startswith(b"HTTP/"[: len(data)]):
                raise Malformed("no HTTP status line")
            end = data.find(b"\r\n\r\n", seen)
            head = data if end < 0 else data[: end + 2]
            if len(head) > LARGEST_HEAD_BYTES:
                raise Malformed(f"a head of more than {LARGEST_HEAD_BYTES} bytes")
            if end < 0:
                if _BARE.search(head, seen):
                    raise Malformed("a bare CR or LF")
                break
            self._take(head)
            data, seen = data[end + 4 :], 0
        self._head = b"" if self.response is not None else data
        return data if self.response is not None else b""

    def _take(self, head: bytes) -> None:
        response = parse_head(head, self._method)
        if response.status >= 200:
            self.response = response
            self._left = response.length_bytes or 0
            self.complete = response.framing is Framing.NONE or (
                response.framing is Framing.LENGTH and self._left == 0)  # fmt: skip
            return
        if response.status == 101:  # RFC 9110, section 15.2.2: only for one who asked with Upgrade, which we never do
            raise Malformed("101 (Switching Protocols), which was not asked for")
        self._interim_count += 1
        if self._interim_count > MOST_INTERIM:
            raise Malformed(f"more than {MOST_INTERIM} interim responses")
        self.interim.append((response.status, response.fields))
