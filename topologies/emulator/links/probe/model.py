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
    """Echo round trips seen from end a, in milliseconds; None where no echo came back. `sent` counts echoes.

    `level` is what is held against the specification: the median, or what `level.py` says where the delay is random.
    """

    min: float | None
    median: float | None
    p99: float | None
    samples: int
    sent: int
    level: float | None = None


@dataclass(frozen=True)
class OneWay:
    """When the echoes of one direction arrived after they had left: see `Way`."""

    delay_ms: float | None
    spread_ms: float | None
    timed: int


@dataclass(frozen=True)
class Way:
    """One direction, measured.

    `rate_bps` is from a burst that kept the link busy for `burst_s`; where it is None `rate_note` says why, and with
    `sent_bps` the link passed all of that but more could not be sent. `sent` and `received` count different frames, copies
    once, `duplicated` the second copies, `overtook` those that came before one sent earlier. `overflowed` frames found the
    probe's own receive buffer full: the measurement is then worth nothing. `loss_low` and `loss_high` are the 99 % interval of
    the loss. `queue_bytes` is how much waited when the queue was full; where it is None `queue_note` says why.

    `delay_ms` is the level (as in `Rtt`) of the one-way times of `timed` echoes, which found an empty queue; `spread_ms` what
    `spread.py` takes of how far they are apart. `delay_note`, `jitter_note` and `codel_note` say why what was asked for is not
    verified, None where it is or was not asked for.
    """

    rate_bps: float | None
    sent: int
    received: int
    overflowed: int = 0
    burst_s: float | None = None
    rate_note: str | None = None
    sent_bps: float | None = None
    loss_low: float | None = None
    loss_high: float | None = None
    queue_bytes: int | None = None
    queue_note: str | None = None
    duplicated: int = 0
    overtook: int = 0
    delay_ms: float | None = None
    spread_ms: float | None = None
    timed: int = 0
    delay_note: str | None = None
    jitter_note: str | None = None
    codel_note: str | None = None


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
