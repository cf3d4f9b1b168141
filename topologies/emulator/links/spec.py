"""What a link is asked to be: two directions, each with delay, rate, queue and effects.

It is a specification, not a link: nothing here touches the machine. A value that cannot be built is refused when the
specification is made; none is ignored, clipped or raised to a minimum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from units import show_bps, show_bytes, show_ms

from .codel import Codel
from .effects.effect import Effect
from .effects.jitter import Jitter
from .effects.loss import Loss
from .trace import Trace

ETHERNET_HEADER = 14
"""Bytes of a frame before its IP packet: rate and queue count frames as `tc` does, without preamble and FCS."""

LONGEST_DELAY_MS = 60_000.0
HIGHEST_RATE_BPS = 100 * 10**9
LOWEST_RATE_BPS = 1_000
MOST_QUEUE_BYTES, MOST_QUEUE_PACKETS = 1 << 40, 1 << 30
LEAST_DERIVED_QUEUE_FRAMES = 32
"""A derived queue holds at least this many frames, so that a short link still takes a burst (initial window 10)."""

FRAMES_MOST_BPS = 2_000_000_000
"""Above this rate a machine of this size does not carry MTU-sized frames one by one."""


class LinkError(ValueError):
    """A link that cannot be as asked; the message names the field, the value and what is allowed."""


@dataclass(frozen=True)
class Direction:
    """One direction: a queue drained at a rate, then a wire that delays and has effects.

    `delay_ms` is one way. The queue is drop-tail and counts waiting frames, not the one being sent: `queue_bytes` of them, or
    if that is None `queue_packets`; with `codel` it drops from its head as well (RFC 8289). `rate_bps` None leaves the
    direction unshaped, unless a `trace` drains it. `effects` come after the queue, at most one of each slot.
    While it is not `up`, every frame offered is dropped; what is in the queue or on the wire still arrives.
    """

    delay_ms: float
    rate_bps: int | None
    queue_bytes: int | None
    effects: tuple[Effect, ...] = ()
    queue_packets: int | None = None
    codel: Codel | None = None
    trace: Trace | None = None
    up: bool = True

    def problems(self, mtu: int) -> list[str]:
        """What is wrong with it, in words; empty when it can be built."""
        frame = mtu + ETHERNET_HEADER
        found = []
        if not (math.isfinite(self.delay_ms) and 0 <= self.delay_ms <= LONGEST_DELAY_MS):
            found.append(f"delay {self.delay_ms} ms is not within 0 and {show_ms(LONGEST_DELAY_MS)}")
        if self.rate_bps is not None and not LOWEST_RATE_BPS <= self.rate_bps <= HIGHEST_RATE_BPS:
            found.append(f"rate {self.rate_bps} bit/s is not within {show_bps(LOWEST_RATE_BPS)} "
                         f"and {show_bps(HIGHEST_RATE_BPS)}")  # fmt: skip
        if self.rate_bps is not None and self.trace is not None:
            found.append("a rate and a trace are given; a trace is the rate, so give one of them")
        if (self.queue_bytes is None) == (self.queue_packets is None):
            found.append("the queue is to be given either in bytes or in packets")
        if self.queue_bytes is not None and self.queue_bytes < frame:
            found.append(f"queue {self.queue_bytes} B holds no frame of {frame} B (MTU {mtu})")
        if self.queue_bytes is not None and self.queue_bytes > MOST_QUEUE_BYTES:
            found.append(f"queue {self.queue_bytes} B is more than {show_bytes(MOST_QUEUE_BYTES)}")
        if self.queue_packets is not None and self.queue_packets < 1:
            found.append(f"queue {self.queue_packets} packets holds no frame")
        if self.queue_packets is not None and self.queue_packets > MOST_QUEUE_PACKETS:
            found.append(f"queue {self.queue_packets} packets is more than {MOST_QUEUE_PACKETS} packets")
        if self.trace is not None and self.trace.mean_bps > HIGHEST_RATE_BPS:
            found.append(f"trace {self.trace.name}: {show_bps(self.trace.mean_bps)} is above {show_bps(HIGHEST_RATE_BPS)}")
        if self.codel is not None and self.nominal_bps is None:
            found.append("CoDel is asked for where nothing queues; give a rate or a trace too, or drop-tail")
        if self.codel is not None and max(self.codel.target_ms, self.codel.interval_ms) > LONGEST_DELAY_MS:
            found.append(f"{self.codel.words} is beyond {show_ms(LONGEST_DELAY_MS)}")
        slots = [effect.slot for effect in self.effects]
        found += [f"{slot} is given twice" for slot in sorted(set(slots)) if slots.count(slot) > 1]
        return found + [text for effect in self.effects for text in effect.problems(self.delay_ms)]

    @property
    def unshaped(self) -> bool:
        """Whether it asks for nothing: such a direction is a plain cable of this machine."""
        return self.rate_bps is None and self.trace is None and self.delay_ms == 0 and not self.effects and self.up

    @property
    def nominal_bps(self) -> float | None:
        """Its rate, or the mean of its trace."""
        return self.trace.mean_bps if self.trace else self.rate_bps

    @property
    def loss(self) -> float:
        """Mean share of frames lost on the wire."""
        return sum(effect.loss for effect in self.effects)

    @property
    def jitter(self) -> Jitter:
        """Its jitter; one of width 0 where it has none."""
        return next((effect for effect in self.effects if isinstance(effect, Jitter)), Jitter(0.0))

    @property
    def jitter_ms(self) -> float:
        """The furthest that jitter moves a frame from its delay, either way."""
        return self.jitter.most_ms

    def has(self, word: str) -> bool:
        """Whether it has the effect of that name."""
        return any(effect.word == word for effect in self.effects)

    def room_bytes(self, mtu: int) -> int:
        """What the queue holds, in bytes of full frames if it counts packets."""
        return self.queue_bytes if self.queue_bytes is not None else (self.queue_packets or 0) * (mtu + ETHERNET_HEADER)

    @property
    def queue_words(self) -> str:
        """The queue for a person."""
        held = show_bytes(self.queue_bytes) if self.queue_bytes is not None else f"{self.queue_packets} packets"
        return f"{held}, {self.codel.words}" if self.codel else held

    def as_dict(self) -> dict[str, Any]:
        """For `links.json`."""
        return {
            "delay_ms": self.delay_ms, "rate_bps": self.rate_bps, "queue_bytes": self.queue_bytes,
            "queue_packets": self.queue_packets, "codel": self.codel.text() if self.codel else None,
            "trace": self.trace.as_dict() if self.trace else None, "up": self.up, "loss": self.loss,
            "jitter_ms": self.jitter.jitter_ms, "effects": {effect.word: effect.text() for effect in self.effects},
        }  # fmt: skip


def wire(*effects: Effect) -> tuple[Effect, ...]:
    """The effects that do something, in the order of their names."""
    return tuple(sorted((effect for effect in effects if not effect.nothing), key=lambda effect: effect.word))


@dataclass(frozen=True)
class LinkSpec:
    """Two directions, an MTU and a seed. `queue_rule` says where the queue length came from; it changes nothing.

    `segments` is `frames` (packets of at most the MTU), `passed` (segments of up to 64 KB pass whole, as network cards take
    them: TSO), or `auto`, which `passes` decides.
    """

    a_to_b: Direction
    b_to_a: Direction
    mtu: int = 1500
    seed: int = 1
    queue_rule: str = "given"
    segments: str = field(default="auto")

    def __post_init__(self) -> None:
        found = [] if 576 <= self.mtu <= 9000 else [f"MTU {self.mtu} is not within 576 and 9000 bytes"]
        if self.segments not in ("auto", "frames", "passed"):
            found.append(f"segments '{self.segments}' is none of auto, frames, passed")
        if self.segments == "passed" and (why := self.per_packet):
            found.append(f"segments cannot be passed whole: {why}")
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

    @property
    def per_packet(self) -> str:
        """What acts on packets one by one, in words; empty when nothing does."""
        for way in (self.a_to_b, self.b_to_a):
            if way.effects:
                return f"{way.effects[0].word} acts on each packet"
            if way.trace or way.codel or way.queue_packets is not None:
                return "the queue counts or chooses packets"
        return ""

    @property
    def passes(self) -> tuple[bool, str]:
        """Whether segments of up to 64 KB pass whole, and the rule by which that was chosen."""
        if self.segments != "auto":
            return self.segments == "passed", "asked for"
        slow = [way for way in (self.a_to_b, self.b_to_a) if way.nominal_bps is not None and way.nominal_bps <= FRAMES_MOST_BPS]
        if slow:
            return False, f"packets of at most the MTU: the rate is at most {show_bps(FRAMES_MOST_BPS)}"
        if why := self.per_packet:
            return False, f"packets of at most the MTU: {why}"
        return True, f"segments of up to 64 KB pass whole: faster than {show_bps(FRAMES_MOST_BPS)}, and nothing acts on packets"

    def as_dict(self) -> dict[str, Any]:
        """For `links.json`."""
        return {"a_to_b": self.a_to_b.as_dict(), "b_to_a": self.b_to_a.as_dict(), "mtu": self.mtu, "seed": self.seed,
                "queue_rule": self.queue_rule, "segments": self.passes[1]}  # fmt: skip


def symmetric(
    rtt_ms: float, rate_bps: int | None, queue_bytes: int | None = None, *, loss: float = 0.0, jitter_ms: float = 0.0,
    effects: tuple[Effect, ...] = (), mtu: int = 1500, seed: int = 1, path_rtt_ms: float | None = None,
) -> LinkSpec:  # fmt: skip
    """The same in both directions, half of `rtt_ms` each way. Raises LinkError.

    `loss` (independent) and `jitter_ms` (uniform) are short for two of the `effects`. Without `queue_bytes` the queue is
    derived: the bandwidth-delay product of the path (`path_rtt_ms`, or the link's own RTT), at least 32 frames. It is never a
    fixed number of packets: netem's default of 1000 silently caps a 150 ms path at 80 Mbit/s.
    """
    rule = "given"
    if queue_bytes is None:
        queue_bytes, rule = derived_queue(rate_bps, rtt_ms if path_rtt_ms is None else path_rtt_ms, mtu)
    one = Direction(rtt_ms / 2, rate_bps, queue_bytes, wire(*effects, Loss(loss), Jitter(jitter_ms)))
    return LinkSpec(one, one, mtu, seed, rule)


def derived_queue(rate_bps: float | None, path_ms: float, mtu: int = 1500) -> tuple[int, str]:
    """Bytes of a queue nobody gave, and the rule: the bandwidth-delay product of the path, at least 32 frames."""
    floor = LEAST_DERIVED_QUEUE_FRAMES * (mtu + ETHERNET_HEADER)
    if rate_bps is None:
        return floor, "none needed: the link is not rate-limited"
    product = math.ceil(rate_bps / 8 * path_ms / 1000) if math.isfinite(path_ms) else 0
    rule = f"{show_bps(rate_bps)} x {show_ms(path_ms)} = {show_bytes(product)}"
    return max(product, floor), rule + ("" if product >= floor else f", raised to {LEAST_DERIVED_QUEUE_FRAMES} frames")
