"""Datagrams of one size at given moments over several paths at once, timed by the receiving kernels. It is no load on a server.

What counts is when each one really left, which is recorded: a machine that is late changes the arrivals, not their measurement.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from topologies.emulator.conformance.flow import Flow
from topologies.emulator.lab import Lab

TAIL_S = 1.0
_NEAR_S = 0.0002


def send(lab: Lab, paths: Sequence[tuple[str, str]], frame_bytes: int,
         schedules: Sequence[Iterable[float]]) -> list[tuple[list[float], list[float | None]]]:  # fmt: skip
    """For each path (from, to): when each datagram left, in seconds since the first, and how long it took in ms; None: lost.
    `schedules` are the moments in seconds, in order, of each path."""
    with ExitStack() as stack:
        ends = [[(lab.node(node).pid, lab.address(node)) for node in path] for path in paths]
        flows = [stack.enter_context(Flow(source, target, frame_bytes)) for source, target in ends]
        moments = heapq.merge(*([(at, number) for at in times] for number, times in enumerate(schedules)))
        begin = time.monotonic()
        for at, number in moments:
            while (left_s := begin + at - time.monotonic()) > 0:
                flows[number].drain()
                if left_s > _NEAR_S:
                    time.sleep(left_s - _NEAR_S / 2)
            flows[number].send()
        until = time.monotonic() + TAIL_S
        while time.monotonic() < until and not all(flow.complete for flow in flows):
            for flow in flows:
                flow.drain()
            time.sleep(0.01)
        return [_times(flow) for flow in flows]


def _times(flow: Flow) -> tuple[list[float], list[float | None]]:
    took: list[float | None] = [None] * len(flow.sent)
    for number, ms in flow.times_ms():
        took[number] = ms
    return [(at - flow.sent[0]) / 1e9 for at in flow.sent], took
