"""What is probed and what was found, as plain values. Nothing here measures or judges."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..spec import LinkSpec


@dataclass(frozen=True)
class Target:
    """A link of a running lab: at each end any process in the node's namespace and its IPv4 address on the link."""

    name: str
    pid_a: int
    ip_a: str
    pid_b: int
    ip_b: str
    spec: LinkSpec


@dataclass(frozen=True)
class Rtt:
    """Echo round trips seen from end a, in milliseconds; None where no echo came back. `sent` counts echoes."""

    min: float | None
    median: float | None
    p99: float | None
    samples: int
    sent: int


@dataclass(frozen=True)
class Way:
    """One direction: rate by dispersion of a train (None: no rate to measure, or too little arrived), and its frames.

    `overflowed` frames arrived but found the probe's own receive buffer full: the measurement is then worth nothing.
    """

    rate_bps: float | None
    sent: int
    received: int
    overflowed: int = 0


@dataclass(frozen=True)
class Measured:
    """One link, measured once."""

    rtt_ms: Rtt
    a_to_b: Way
    b_to_a: Way

    def as_dict(self) -> dict[str, Any]:
        """The `before` part of `links.json`."""
        return asdict(self)


@dataclass(frozen=True)
class Verified:
    """A measurement, why it is outside its tolerance (empty when it is not), and which attempt it was."""

    measured: Measured
    reasons: tuple[str, ...]
    attempts: int
