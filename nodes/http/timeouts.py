"""How long an origin may take, phase by phase. It does not measure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timeouts:
    """Seconds. A head that has begun must be whole within `between_s`, and every interim response gives the next head
    `first_byte_s` again."""

    connect_s: float = 10.0
    """To accept a connection, TLS included; also how long a request waits for its turn in the pool."""
    first_byte_s: float = 30.0
    """To begin the answer, from the moment at which the origin has the whole request."""
    between_s: float = 30.0
    """Between two pieces of the answer, or of the request that the origin takes."""
