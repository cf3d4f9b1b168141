"""What a link is asked to be: two directions, each with delay, rate, queue, loss and jitter.

It is a specification, not a link: nothing here touches the machine. A value that cannot be built is refused when the
specification is made; none is ignored, clipped or raised to a minimum.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from units import show_bps, show_bytes, show_ms

ETHERNET_HEADER = 14
"""Bytes of a frame before its IP packet: rate and queue count frames as `tc` does, without preamble and FCS."""

LONGEST_DELAY_MS = 60_000.0
HIGHEST_RATE_BPS = 100 * 10**9
LOWEST_RATE_BPS = 1_000
LEAST_DERIVED_QUEUE_FRAMES = 32
"""A derived queue holds at least this many frames, so that a short link still takes a burst (initial window 10)."""


class LinkError(ValueError):
    """A link that cannot be as asked; the message names the field, the value and what is allowed."""


@dataclass(frozen=True)
class Direction:
    """One direction: a drop-tail queue drained at `rate_bps`, then a wire that loses, delays and jitters.

    `delay_ms` is one way. `queue_bytes` counts waiting frames, not the one being sent. `loss` is the probability, in
    [0, 1), that a frame that left the queue is lost, independently of all others. `jitter_ms` is the half width of a
    uniform distribution around the delay; order is kept. `rate_bps` None leaves the direction unshaped.
    """

    delay_ms: float
    rate_bps: int | None
    queue_bytes: int
    loss: float = 0.0
    jitter_ms: float = 0.0

    def problems(self, mtu: int) -> list[str]:
        """What is wrong with it, in words; empty when it can be built."""
        frame = mtu + ETHERNET_HEADER
        found = []
        if not (math.isfinite(self.delay_ms) and 0 <= self.delay_ms <= LONGEST_DELAY_MS):
            found.append(f"delay {self.delay_ms} ms is not within 0 and {show_ms(LONGEST_DELAY_MS)}")
        if self.rate_bps is not None and not LOWEST_RATE_BPS <= self.rate_bps <= HIGHEST_RATE_BPS:
            found.append(f"rate {self.rate_bps} bit/s is not within {show_bps(LOWEST_RATE_BPS)} "
                         f"and {show_bps(HIGHEST_RATE_BPS)}")  # fmt: skip
        if self.queue_bytes < frame:
            found.append(f"queue {self.queue_bytes} B holds no frame of {frame} B (MTU {mtu})")
        if not 0 <= self.loss < 1:
            found.append(f"loss {self.loss:.4g} is not a probability in [0 %, 100 %)")
        if not 0 <= self.jitter_ms <= self.delay_ms:
            found.append(f"jitter {show_ms(self.jitter_ms)} is not within 0 and the one-way delay "
                         f"{show_ms(self.delay_ms)}")  # fmt: skip
        return found

    @property
    def unshaped(self) -> bool:
        """Whether it asks for nothing: such a direction is a plain cable of this machine."""
        return self.rate_bps is None and self.delay_ms == 0 and self.loss == 0 and self.jitter_ms == 0


@dataclass(frozen=True)
class LinkSpec:
    """Two directions, an MTU and a seed. `queue_rule` says where the queue length came from; it changes nothing."""

    a_to_b: Direction
    b_to_a: Direction
    mtu: int = 1500
    seed: int = 1
    queue_rule: str = "given"

    def __post_init__(self) -> None:
        found = [] if 576 <= self.mtu <= 9000 else [f"MTU {self.mtu} is not within 576 and 9000 bytes"]
        found += [f"{name}: {text}" for name in ("a_to_b", "b_to_a") for text in getattr(self, name).problems(self.mtu)]
        if self.a_to_b == self.b_to_a:
            found = [text.replace("a_to_b: ", "") for text in found if not text.startswith("b_to_a")]
        if found:
            raise LinkError("; ".join(found))

    @property
    def rtt_ms(self) -> float:
        """Both ways, without serialisation."""
        return self.a_to_b.delay_ms + self.b_to_a.delay_ms

    @property
    def unshaped(self) -> bool:
        """Whether both directions ask for nothing."""
        return self.a_to_b.unshaped and self.b_to_a.unshaped

    def as_dict(self) -> dict[str, Any]:
        """For `links.json`."""
        return asdict(self)


def symmetric(
    rtt_ms: float, rate_bps: int | None, queue_bytes: int | None = None, *, loss: float = 0.0, jitter_ms: float = 0.0,
    mtu: int = 1500, seed: int = 1, path_rtt_ms: float | None = None,
) -> LinkSpec:  # fmt: skip
    """The same in both directions, half of `rtt_ms` each way. Raises LinkError.

    Without `queue_bytes` the queue is derived: the bandwidth-delay product of the path (`path_rtt_ms`, or the link's
    own RTT), at least 32 frames. It is never a fixed number of packets: netem's default of 1000 silently caps a 150 ms
    path at 80 Mbit/s.
    """
    frame = mtu + ETHERNET_HEADER
    floor = LEAST_DERIVED_QUEUE_FRAMES * frame
    rule = "given"
    if queue_bytes is None:
        if rate_bps is None:
            queue_bytes, rule = floor, "none needed: the link is not rate-limited"
        else:
            path_ms = rtt_ms if path_rtt_ms is None else path_rtt_ms
            product = math.ceil(rate_bps / 8 * path_ms / 1000) if math.isfinite(path_ms) else 0
            queue_bytes = max(product, floor)
            rule = f"{show_bps(rate_bps)} x {show_ms(path_ms)} = {show_bytes(product)}" + (
                "" if product >= floor else f", raised to {LEAST_DERIVED_QUEUE_FRAMES} frames"
            )
    one = Direction(rtt_ms / 2, rate_bps, queue_bytes, loss, jitter_ms)
    return LinkSpec(one, one, mtu, seed, rule)
