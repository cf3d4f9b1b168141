"""Rate and loss of all links, by trains of UDP frames that the receiving kernel stamps.

It is not a throughput test: a train is some twenty milliseconds long and is judged by its dispersion.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import heappop, heappush

from ..netns import socket_in
from .model import Target, Way
from .pacer import Pacer
from .plan import HEADERS, PAYLOAD, Train, dispersion_bps, groups, trains
from .stamps import prepare, receive

_BUFFER_BYTES = 32 << 20
_PATIENCE_S, _LOSSY_PATIENCE_S = 0.5, 0.15
_STAGGER_NS = 20_000
_REPEATS = 3
"""A train whose sender was held up tells nothing of the link, good or bad, and is sent again at once."""


@dataclass
class _Run:
    """One train of one direction between two sockets."""

    way: tuple[str, str]
    train: Train
    out: socket.socket
    into: socket.socket
    longest_s: float
    lossy: bool
    pacer: Pacer
    ended: float = 0.0
    overflowed: int = 0
    arrived: dict[int, int] = field(default_factory=dict)
    turn: int = 0
    sent_before: int = 0
    received_before: int = 0

    @property
    def rate_bps(self) -> float | None:
        """Of the last time it was sent."""
        return dispersion_bps(list(self.arrived.items()), self.train, self.pacer.dry)

    def restart(self) -> None:
        """Forget the rate, keep the count of what was lost."""
        self.turn += 1
        self.sent_before += self.pacer.count
        self.received_before += len(self.arrived)
        self.arrived = {}


def measure_trains(targets: Sequence[Target], budget_bps: float) -> dict[str, tuple[Way, Way]]:
    """Both directions of every link, by name. Raises OSError."""
    with ExitStack() as stack:
        runs: list[_Run] = []
        for one in targets:
            ends = (one.pid_a, one.ip_a), (one.pid_b, one.ip_b)
            runs += _runs(stack, one, "a_to_b", *ends) + _runs(stack, one, "b_to_a", *reversed(ends))
        poll = stack.enter_context(select.epoll())
        receivers = {run.into.fileno(): run for run in runs}
        for fd in receivers:
            poll.register(fd, select.EPOLLIN)
        _play(runs, poll, receivers, budget_bps)
        for _ in range(_REPEATS):
            again = [run for run in runs if run.train.measures_rate and run.arrived and run.rate_bps is None]
            if not again:
                break
            for run in again:
                run.restart()
            _play(again, poll, receivers, budget_bps)
        return {one.name: (_way(runs, (one.name, "a_to_b")), _way(runs, (one.name, "b_to_a"))) for one in targets}


def _play(runs: list[_Run], poll: select.epoll, receivers: dict[int, _Run], budget_bps: float) -> None:
    """Send every train once, group after group, and wait for what arrives."""
    for members in groups([(run.way, run.train) for run in runs], budget_bps):
        group = [runs[index] for index in members]
        over = time.monotonic() + max(run.train.frames * run.train.frame_ns for run in group) / 1e9
        _send(group)
        # The frames leave the queues at the links' rates: the next group waits, or the sum would exceed the budget.
        while (left := over - time.monotonic()) > 0:
            _drain(poll, receivers, min(left, 0.002))
    _await(poll, receivers, runs)


def _runs(stack: ExitStack, one: Target, way: str, source: tuple[int, str], target: tuple[int, str]) -> list[_Run]:
    direction = getattr(one.spec, way)
    found = []
    for number in range(len(trains(direction, one.spec.mtu, _BUFFER_BYTES))):
        into = stack.enter_context(socket_in(target[0], socket.AF_INET, socket.SOCK_DGRAM))
        granted = prepare(into, _BUFFER_BYTES)
        into.bind((target[1], 0))
        out = stack.enter_context(socket_in(source[0], socket.AF_INET, socket.SOCK_DGRAM))
        out.bind((source[1], 0))
        out.connect(into.getsockname())
        train = trains(direction, one.spec.mtu, granted)[number]
        longest_s = (direction.delay_ms + direction.jitter_ms) / 1000
        if direction.rate_bps:
            longest_s += train.frames * train.frame_bytes * 8 / direction.rate_bps
        found.append(_Run((one.name, way), train, out, into, longest_s, direction.loss > 0, Pacer(train, 0)))
    return found


def _send(runs: list[_Run]) -> None:
    """All of a group at once, each frame at its moment."""
    start = time.monotonic_ns()
    for number, run in enumerate(runs):
        run.pacer = Pacer(run.train, start + number * _STAGGER_NS)
    heap = [(run.pacer.at_ns, number) for number, run in enumerate(runs)]
    frames = [bytearray(run.train.frame_bytes - HEADERS) for run in runs]
    while heap:
        at, number = heappop(heap)
        while (left := at - (now := time.monotonic_ns())) > 0:
            if left > 1_000_000:
                time.sleep((left - 800_000) / 1e9)
        run, pacer = runs[number], runs[number].pacer
        struct.pack_into("!II", frames[number], 0, run.turn, pacer.count)
        run.out.send(frames[number])
        pacer.sent(now)
        if pacer.done:
            run.ended = now / 1e9
        else:
            heappush(heap, (pacer.at_ns, number))


def _drain(poll: select.epoll, receivers: dict[int, _Run], wait_s: float) -> None:
    for fd, _ in poll.poll(wait_s):
        run = receivers[fd]
        while (got := receive(run.into)) is not None:
            data, at_ns, run.overflowed, _ = got
            if len(data) >= PAYLOAD:
                turn, sequence = struct.unpack_from("!II", data)
                if turn == run.turn:
                    run.arrived[sequence] = at_ns


def _await(poll: select.epoll, receivers: dict[int, _Run], runs: list[_Run]) -> None:
    """Until everything has arrived, or could not any more: a link may be slower than it was asked to be."""
    while (deadline := max((_deadline(run) for run in runs), default=0.0)) > (now := time.monotonic()):
        _drain(poll, receivers, min(deadline - now, 0.05))


def _deadline(run: _Run) -> float:
    """How long to wait for this run; 0 when it is over. Order is kept, so nothing follows the last frame."""
    if run.pacer.count - 1 in run.arrived:
        return 0.0
    return run.ended + (run.longest_s + _LOSSY_PATIENCE_S if run.lossy else run.longest_s * 1.5 + _PATIENCE_S)


def _way(runs: list[_Run], way: tuple[str, str]) -> Way:
    mine = [run for run in runs if run.way == way]
    rates = [run.rate_bps for run in mine if run.train.measures_rate]
    return Way(
        rates[0] if rates else None,
        sum(run.sent_before + run.pacer.count for run in mine),
        sum(run.received_before + len(run.arrived) for run in mine),
        sum(run.overflowed for run in mine),
    )
