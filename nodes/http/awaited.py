"""The answer that a connection to an origin waits for: its head, then its content, to one reader, within the time allowed.

It touches no socket: `upstream.py` feeds it and is told when more has come than is taken. What the bytes mean is decided
in `response_reader.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nodes.http.message import Fields
from nodes.http.pieces import Pieces
from nodes.http.response import Response
from nodes.http.response_reader import ResponseReader
from nodes.http.timeouts import Timeouts
from nodes.http.upstream_error import Phase, UpstreamError

WINDOW_BYTES = 512 * 1024

OnInterim = Callable[[int, Fields], Awaitable[None]]


class Awaited:
    """`begin` for each request; one reader uses `head`, then `read` until it gives b"".

    `hold` is called with True when so much waits here that no more should come, and with False when it has been taken.
    """

    def __init__(self, timeouts: Timeouts, hold: Callable[[bool], None]) -> None:
        self._timeouts, self._hold = timeouts, hold
        self._loop = asyncio.get_running_loop()
        self._reader = ResponseReader("GET")
        self._pieces = Pieces()
        self._held = self._sending = False
        self._wake: asyncio.Future[None] | None = None
        self._allowed_s = self._deadline_s = float("inf")
        self.error: Exception | None = None
        """Why it will not become whole."""
        self.lost = False
        """Whether the connection is no more."""

    # -- for the connection ---------------------------------------------------------------------------------------
    def begin(self, method: str, began_s: float, *, sending: bool = False) -> None:
        """A request goes out, whose time runs from `began_s`; `sending`: the origin waits for its content until `sent`."""
        self._reader, self._sending = ResponseReader(method), sending
        self._await_head(began_s)

    def sent(self) -> None:
        """The content of the request is out."""
        self._sending = False
        if not self._reader.started:
            self._await_head(self._loop.time())
        self._notify()

    def feed(self, data: bytes) -> None:
        """More came. Raises Malformed."""
        began = self._reader.started
        self._pieces.put(self._reader.feed(data))
        if not began:
            self._allow(self._timeouts.between_s, self._loop.time())
        if self._pieces.size_bytes > WINDOW_BYTES and not self._held:
            self._held = True
            self._hold(True)
        self._notify()

    def over(self, how: str, *, orderly: bool) -> None:
        """Nothing more will come."""
        if not self._reader.complete and self.error is None:
            self._reader.end(orderly=orderly)
            if not self._reader.complete:
                what = "before the response was whole" if self._reader.started else "before it answered"
                self.error = UpstreamError(f"the origin {how} the connection {what}", self.phase)
        self._notify()

    def fail(self, error: Exception) -> None:
        """Who waits gets this error."""
        self.error = error
        self._notify()

    @property
    def started(self) -> bool:
        """Whether a byte has come."""
        return self._reader.started

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return self._reader.complete

    @property
    def taken(self) -> bool:
        """Whether it was read to its end, and another may follow on the same connection."""
        return self._reader.keep and not self._pieces and self.error is None

    @property
    def waits_for_head(self) -> bool:
        """Whether its head may still come."""
        return self._reader.response is None and self.error is None

    @property
    def phase(self) -> Phase:
        """How far it is."""
        if self._reader.response is not None:
            return "content"
        if self._reader.started:
            return "head"
        return "request" if self._sending else "first-byte"

    # -- for its reader -------------------------------------------------------------------------------------------
    async def head(self, on_interim: OnInterim | None = None) -> Response:
        """The final response's head; interim ones (1xx) go to `on_interim` in order, or are dropped.

        Raises UpstreamError, and what the request's content raised.
        """
        while True:
            while self._reader.interim:
                status, fields = self._reader.interim.popleft()
                self._await_head(self._loop.time())
                if on_interim is not None:
                    await on_interim(status, fields)
            if self._reader.response is not None:
                return self._reader.response
            await self._changed(self._deadline_s, self._allowed_s, "the head of its response")

    async def read(self) -> bytes:
        """What has arrived of the content, or b"" when it was all. Raises UpstreamError when it can not become whole."""
        between_s = self._timeouts.between_s
        deadline_s = self._loop.time() + between_s
        while not self._pieces:
            if self._reader.complete:
                return b""
            await self._changed(deadline_s, between_s, "more of its response")
        data = self._pieces.take()
        if self._held and self._pieces.size_bytes <= WINDOW_BYTES // 2:
            self._held = False
            self._hold(False)
        return data

    # -- within ---------------------------------------------------------------------------------------------------
    def _await_head(self, began_s: float) -> None:
        """The origin's time for a head begins, unless it still waits for the request."""
        self._allow(float("inf") if self._sending else self._timeouts.first_byte_s, began_s)

    def _allow(self, time_s: float, began_s: float) -> None:
        self._allowed_s, self._deadline_s = time_s, began_s + time_s

    async def _changed(self, deadline_s: float, allowed_s: float, what: str) -> None:
        """Until something happens. Raises UpstreamError when nothing can, or nothing did."""
        if self.error is not None:
            raise self.error
        if self.lost:
            raise UpstreamError("the origin closed the connection", self.phase)
        if self._loop.time() >= deadline_s:
            raise UpstreamError(f"the origin did not send {what} within {allowed_s:g} s", self.phase, timeout=True)
        self._wake = self._loop.create_future()
        handle = None if deadline_s == float("inf") else self._loop.call_at(deadline_s, self._notify)
        try:
            await self._wake
        finally:
            self._wake = None
            if handle is not None:
                handle.cancel()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
