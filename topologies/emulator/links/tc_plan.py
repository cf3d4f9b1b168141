"""The kernel's shapers for one direction as lines for `tc`, computed from the specification.

It runs nothing; `netem.py` does. A direction crosses four places, all in the middle of the path:

    gate              queue                 line                wire
    down: drop  --->  tbf over a fifo  -->  netem with the  --> netem with delay and effects
                      rate and queue        rate alone

The gate sends on a copy and frees the frame. Since Linux 4.19 a frame that crosses a veth pair stays on its sender's account
until it is freed, so TCP's small queues (tcp_small_queue_check in tcp_output.c) would keep a local sender from ever filling the
queue, and a full buffer a UDP sender. `trap` frees it as done with; `drop` would count it as one that the link dropped.

A token bucket pays after sending, so it alone would be early by one serialisation; the netem behind it, at the same rate,
adds that and spaces what the bucket let through at once. While nothing but a constant delay is asked for, the wire does
both in one timer. netem keeps order only with a rate, and then behind the delay: under jitter, duplicates or after a delay
became shorter, the rate of the link there would hold every later frame back until the link is idle. So then serialising
is the line's, and the wire has a rate so high that it only keeps order.

Lines of `tc` count whole bytes a second: a rate loses up to 7 bit/s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .spec import ETHERNET_HEADER, Direction

_MOST_FRAMES = 1_000_000_000  # no machine has the memory for so many; a limit by need would drop after a shorter delay
_ORDERING_RATE = "1000gbit"
_OPEN = "rate 1000gbit burst 10000000b"  # a bucket that never waits
_SEGMENT_BYTES, _MOST_HEADERS = 65536, ETHERNET_HEADER + 120


@dataclass(frozen=True)
class Ground:
    """What all plans of a link have in common. `late_s` is how late the machine may serve a token bucket: the burst bridges
    it. `passes`: segments of up to 64 KB pass whole, so the bucket must hold one."""

    mtu: int
    late_s: float
    passes: bool = False

    @property
    def frame_bytes(self) -> int:
        """A full one."""
        return self.mtu + ETHERNET_HEADER

    @property
    def segment_bytes(self) -> int:
        """What a segment of 64 KB is on the wire, at most: the kernel counts the headers of each of its packets."""
        return _SEGMENT_BYTES + math.ceil(_SEGMENT_BYTES / (self.mtu - 120)) * _MOST_HEADERS


@dataclass(frozen=True)
class Places:
    """The interfaces of one direction; `switch` is the number of the gate's action."""

    gate: str
    queue: str
    line: str
    wire: str
    switch: int


def places(number: int) -> dict[str, Places]:
    """Of link `number`: a -> [a: gate] [x: queue] = [u: line] = [b: wire] -> b, and the same back over v and y."""
    return {"a_to_b": Places(f"a{number}", f"x{number}", f"u{number}", f"b{number}", 2 * number + 1),
            "b_to_a": Places(f"b{number}", f"v{number}", f"y{number}", f"a{number}", 2 * number + 2)}  # fmt: skip


def entrances(number: int) -> dict[str, tuple[str, str, str]]:
    """The interfaces of link `number` at which frames of each direction arrive, the gate first."""
    return {"a_to_b": (f"a{number}", f"y{number}", f"v{number}"), "b_to_a": (f"b{number}", f"u{number}", f"x{number}")}


def path_lines(number: int) -> list[str]:
    """What carries frames from each interface to the next."""
    lines = []
    for way, at in places(number).items():
        for source, target in zip(entrances(number)[way], (at.queue, at.line, at.wire), strict=True):
            gate = f"gact pipe index {at.switch} action mirred egress mirror dev {target} trap"
            onward = gate if source == at.gate else f"mirred egress redirect dev {target}"
            lines.append(f"qdisc add dev {source} ingress")
            lines.append(f"filter add dev {source} ingress pref 1 protocol all matchall action {onward}")
    return lines


@dataclass(frozen=True)
class Plan:
    """One direction in the words of `tc`, place by place. `rate_bps` is what they say, infinite without a rate."""

    rate_bps: float
    gate: str
    bucket: str
    fifo: str
    limit: int
    line: str
    wire: str


def plan(way: Direction, ground: Ground, *, apart: bool) -> Plan:
    """`apart`: see `needs_apart`."""
    rate = f"{way.rate_bps}bit" if way.rate_bps else _ORDERING_RATE
    bucket = f"rate {rate} burst {burst_bytes(way, ground)}b" if way.rate_bps else _OPEN
    return Plan(way.rate_bps or math.inf, "pipe" if way.up else "drop", bucket, "pfifo" if way.queue_bytes is None else "bfifo",
                fifo_limit(way, ground), f"rate {rate if apart else _ORDERING_RATE}",
                _wire(way, _ORDERING_RATE if apart else rate))  # fmt: skip


def needs_apart(before: Direction | None, way: Direction) -> bool:
    """Whether serialising must be apart from the wire (see above). Once apart, a link stays so: frames may be under way."""
    return bool(way.effects) or (before is not None and way.delay_ms < before.delay_ms)


def burst_bytes(way: Direction, ground: Ground) -> int:
    """Token bucket: one frame (or segment), and what the rate brings while it is served late, but at most a quarter of the
    queue.

    Tokens that a pause has saved let frames leave at once; the line spaces them again. See tc-tbf(8).
    """
    whole = ground.segment_bytes if ground.passes else ground.frame_bytes
    late = math.ceil((way.rate_bps or 0) / 8 * ground.late_s)
    return whole + min(late, max(0, way.room_bytes(ground.mtu) - whole) // 4)


def fifo_limit(way: Direction, ground: Ground) -> int:
    """Bytes or packets that the fifo holds. What the bucket lets through early waits in the line, so it is taken off here.

    It is within one frame of the MTU: the line may hold a part of one early, or small frames where one full frame is expected.
    """
    frame = ground.frame_bytes
    early = (burst_bytes(way, ground) - frame) // frame if way.rate_bps else 0
    return way.queue_bytes - early * frame if way.queue_bytes is not None else (way.queue_packets or 0) - early


def make_lines(at: Places, new: Plan, seed: str = "") -> list[str]:
    """Lines that add the shapers of one direction."""
    return [f"qdisc add {_bucket(at, new)}", f"qdisc add {_fifo(at, new)}", f"qdisc add {_line(at, new)}",
            f"qdisc add {_wire_at(at, new, seed)}", *([_gate(at, new)] if new.gate != "pipe" else [])]  # fmt: skip


class Step(NamedTuple):
    """A line, and the line that takes it back."""

    there: str
    back: str


def change_steps(at: Places, old: Plan, new: Plan, old_seed: str = "", seed: str = "") -> list[Step]:
    """What turns one plan into another, of what differs only.

    Lines follow each other by a fraction of a millisecond, so whoever spaces frames is never slower than what is before it: a
    rising rate begins at the wire, a falling one at the queue. Else what passes in between leaves at the lower rate.
    A change of the bucket fills it (the rest of its kernel state is kept): up to one burst more than the queue's length may
    wait until the queue is next empty. A change of the wire forgets the state of Gilbert-Elliott loss.
    """
    steps = []
    if old.bucket != new.bucket:  # it sets the limit of its fifo as well
        steps.append(Step(f"qdisc change {_bucket(at, new)}", f"qdisc change {_bucket(at, old)}"))
    elif old.limit != new.limit:
        steps.append(Step(f"qdisc change {_fifo(at, new)}", f"qdisc change {_fifo(at, old)}"))
    if old.line != new.line:
        steps.append(Step(f"qdisc change {_line(at, new)}", f"qdisc change {_line(at, old)}"))
    if old.wire != new.wire:
        steps.append(Step(f"qdisc change {_wire_at(at, new, seed)}", f"qdisc change {_wire_at(at, old, old_seed)}"))
    if new.rate_bps > old.rate_bps:
        steps.reverse()
    if old.gate == new.gate:
        return steps
    gate = Step(_gate(at, new), _gate(at, old))
    return [gate, *steps] if new.gate == "drop" else [*steps, gate]


def practice(steps: Sequence[Step]) -> list[str]:
    """Lines that have `tc` do once what the steps will have it do, where it matters to nobody: at the namespace's own loopback
    device, which nothing passes. They leave nothing there."""
    lines = []
    for words in (step.there.split() for step in steps):
        if words[0] == "actions":
            lines.append(" ".join(("actions get action gact", *words[-2:])))
        else:
            of_kind = words.index("handle") + 2
            lines += [" ".join(("qdisc show dev", words[3])), " ".join(("qdisc replace dev lo root", *words[of_kind:]))]
    return [*lines, "qdisc del dev lo root"] if any("dev lo" in line for line in lines) else lines


def _bucket(at: Places, new: Plan) -> str:
    return f"dev {at.queue} root handle 1: tbf {new.bucket} limit {new.limit}b"


def _fifo(at: Places, new: Plan) -> str:
    return f"dev {at.queue} parent 1:1 handle 2: {new.fifo} limit {new.limit}"


def _line(at: Places, new: Plan) -> str:
    return f"dev {at.line} root handle 1: netem limit {_MOST_FRAMES} {new.line}"


def _wire_at(at: Places, new: Plan, seed: str) -> str:
    return f"dev {at.wire} root handle 1: netem limit {_MOST_FRAMES} {new.wire}{seed}"


def _gate(at: Places, new: Plan) -> str:
    return f"actions change action gact {new.gate} index {at.switch}"


def _wire(way: Direction, rate: str) -> str:
    words = [f"delay {way.delay_ms:.6f}ms"]
    if way.jitter.jitter_ms:
        words.append(way.jitter.netem())
    words.append(f"rate {rate}")
    words += [effect.netem() for effect in way.effects if effect is not way.jitter]
    if not way.has("corrupt"):
        words.append("corrupt 0%")  # left out, a change would keep what was before
    return " ".join(words)
