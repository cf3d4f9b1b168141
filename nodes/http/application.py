"""What a daemon is to the server: one required interface, and what it may have besides.

Nothing here serves; `server.py` does. The server looks for the optional parts once, by name, when it starts:

- `prepared: PreparedAnswers` (prepared.py): heads whose answers are ready. They leave in the round that reads them.
- `try_now(request, connection) -> bool`: answer at once with `connection.give(prepared, request)`, or become the
  connection's `holder`, who passes the answer on as it comes; or do nothing more than to note in `request.begun` what was
  decided, and return False; then `handle` is called. It is called only while nothing is on its way to that client.
- `used(answers: dict[Prepared, int]) -> None`: which prepared answers were given since the last call, how often, in
  the order of their first use. Called after each round, also for those given by `try_now`.
- `reserved: frozenset[str]`: which of `/healthz`, `/metrics`, `/-/healthz` and `/-/metrics` the server answers itself; without
  it all four. A daemon that stands before an origin leaves the first two to it.
- `reload() -> None`: SIGHUP.
- `join(team) -> None`: called once, before the first client, when the daemon has several workers.
- `told(message, worker) -> None`: a message of another worker (see `Team`).
"""

from __future__ import annotations

from typing import Any, Protocol

from nodes.http.message import Request
from nodes.http.reply import Reply

Message = dict[str, Any]
"""Small and of JSON's types."""


class Application(Protocol):
    """A daemon: answers requests, and has something to say about itself."""

    name: str

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request. Raise HttpError to refuse it."""
        ...

    async def close(self) -> None:
        """Called once when everything is served."""
        ...


class Team(Protocol):
    """The workers of one daemon, as one of them sees them. Worker 0 is the home."""

    index: int
    count: int

    def tell_home(self, message: Message) -> None:
        """Send to the home's `told`, in order, without waiting. Not for the home itself."""
        ...

    async def tell_all(self, message: Message) -> None:
        """The home sends to `told` of every other worker; returns when each has done it or is gone."""
        ...

    async def relay(self, request: Request, reply: Reply) -> None:
        """Have the home answer a request: its bytes pass unchanged, and the home keeps the record. Not for the home."""
        ...
