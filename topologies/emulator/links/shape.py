"""A direction in the integers that a pipe calculates with. It is no specification: `spec.py` is, and has checked the values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .spec import ETHERNET_HEADER, Direction

NONE = -1


class Shape(NamedTuple):
    """Delay, drain and queue of one direction; NONE where there is none. What happens on the wire is in `fates.py`.

    `times_ms` are the chances of a trace; `trace_id` tells one trace from another, so that a change of something else does
    not begin it again. `frame_bytes` is a full frame, which CoDel never drops the last of.
    """

    delay_ns: int
    rate_bps: int = NONE
    queue_bytes: int = NONE
    queue_packets: int = NONE
    codel_target_ns: int = NONE
    codel_interval_ns: int = NONE
    up: bool = True
    frame_bytes: int = 1500 + ETHERNET_HEADER
    trace_id: int = NONE
    times_ms: Sequence[int] = ()


def of(way: Direction, mtu: int, trace_id: int = NONE) -> Shape:
    """The shape of a direction; `trace_id` numbers its trace, if it has one."""
    codel = way.codel
    return Shape(
        delay_ns=round(way.delay_ms * 1e6),
        rate_bps=NONE if way.rate_bps is None else way.rate_bps,
        queue_bytes=NONE if way.queue_bytes is None else way.queue_bytes,
        queue_packets=NONE if way.queue_packets is None else way.queue_packets,
        codel_target_ns=NONE if codel is None else round(codel.target_ms * 1e6),
        codel_interval_ns=NONE if codel is None else round(codel.interval_ms * 1e6),
        up=way.up,
        frame_bytes=mtu + ETHERNET_HEADER,
        trace_id=NONE if way.trace is None else trace_id,
        times_ms=() if way.trace is None else way.trace.times_ms,
    )
