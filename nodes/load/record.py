"""One request as it went. It judges nothing but whether the request failed."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from nodes.http.message import Fields

_CHOSEN = re.compile(r'zone="([^"]*)";node="([^"]*)"')
_TRIES = re.compile(r";tries=(\d{1,9})")


@dataclass
class Record:
    """Times in ms since the generator began; None: never reached. `late_ms` is how late the generator itself was with it."""

    number: int
    url: str
    due_ms: float
    late_ms: float = 0.0
    sent_ms: float | None = None
    """When a connection was there and the request went out."""
    first_byte_ms: float | None = None
    """When the head of the answer was whole."""
    last_byte_ms: float | None = None
    """When it was over: the content whole, or the request given up."""
    latency_ms: float | None = None
    """From when it was due to the last byte; None when it failed."""
    status: int | None = None
    size_bytes: int = 0
    connection: str = ""
    """new or reused."""
    error: str = ""
    zone: str = ""
    node: str = ""
    """The zone and node that a balancer chose, the last one where there are several."""
    tries: int | None = None
    """How many nodes a balancer asked, of several balancers the most; None where none said."""
    route: str = ""
    """X-Longhaul-Route as it came."""
    cache_status: str = ""

    @property
    def failed(self) -> bool:
        """Whether the client did not get what it asked for."""
        return bool(self.error)

    def answered(self, status: int, fields: Fields) -> None:
        """Take what the head of the answer says."""
        self.status = status
        self.route, self.cache_status = fields.get("x-longhaul-route") or "", fields.get("cache-status") or ""
        if chosen := _CHOSEN.search(self.route):  # with several tiers the member nearest the node stands first
            self.zone, self.node = chosen.groups()
            self.tries = max(map(int, _TRIES.findall(self.route)), default=None)
        if status >= 400:
            self.error = f"the server answered {status}"

    def as_dict(self) -> dict[str, Any]:
        """As it is written."""
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}
