"""The core's way to follow connections, used through ctypes: `struct followed` and what becomes of it. It decides nothing."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int64, c_void_p
from dataclasses import fields
from typing import Any

import numpy as np

from results.captures import compiled, losses
from results.captures.columns import Packets
from results.captures.losses import Losses
from results.captures.memory import Memory
from results.captures.rtt import Samples
from results.captures.streams import Streams
from results.captures.sums import Sums
from results.captures.tcp import Segments

_SEGMENT: tuple[str, ...] = (
    "flow", "time_ns", "payload", "flags", "seq", "end", "ack", "highest", "acked", "own_acked", "other_highest", "window",
    "late", "gap", "keep_alive", "duplicate_ack", "sack_high", "filled", "fresh", "stamp", "echoed",
)  # fmt: skip
_EVENT = ("again", "kind", "out_of_order", "answer", "asked", "rtt_ns", "ambiguous",
          "stamp_answer", "stamp_asked", "stamp_rtt_ns")  # fmt: skip
_TOLD = ("told_place", "told_flow", "told_left", "told_right")
_FLOW = ("head", "bytes", "new_bytes", "window_max", "in_flight_max", "initial_window", "missing", "fin", "rst", "busy_ns")
_CONNECTION = ("duplicate_acks", "sack_blocks", "zero_windows", "keep_alives", "idle_ns", "handshake_ns", "initial_ns",
               "opened", "scaled", "simultaneous")  # fmt: skip
_USED = ("time_ns", "source_port", "destination_port", "seq", "ack", "flags", "window", "payload", "has_stamp", "stamp", "echo",
         "scale", "sacks", "sack_row", "sack_left", "sack_right")  # fmt: skip
"""Columns of packets that it reads."""
_ALL = (*_SEGMENT, *_EVENT, *_TOLD, *_FLOW, *_CONNECTION)
_TYPES: dict[str, Any] = {"flags": np.uint16, "kind": np.uint8, "echoed": np.uint8} | dict.fromkeys(
    ("late", "gap", "keep_alive", "duplicate_ack", "ambiguous", "opened", "scaled", "simultaneous"), np.bool_)
_KINDS = (("again", "kind"), ("out_of_order",), ("answer", "asked", "rtt_ns", "ambiguous"),
          ("stamp_answer", "stamp_asked", "stamp_rtt_ns"), _TOLD)  # fmt: skip
"""Events that are counted together, in the order of `counted`."""


class _Followed(ctypes.Structure):
    """`struct followed`."""

    _fields_ = [*((name, c_void_p) for name in _ALL), ("counted", c_int64 * len(_KINDS))]


def follow(core: Any, packets: Packets, grouped: Streams, memory: Memory) -> tuple[Any, ...]:
    """The fields of `follow.Followed`."""
    count, connections, blocks = len(grouped.order), len(grouped.begins), len(packets.sack_row)
    sizes = ((_SEGMENT, count), (_EVENT, count), (_TOLD, blocks))
    out = memory.arrays({name: (size, _TYPES.get(name, np.int64)) for names, size in sizes for name in names})
    for names, size in ((_FLOW, 2 * connections), (_CONNECTION, connections)):
        out |= {name: np.empty(size, _TYPES.get(name, np.int64)) for name in names}
    columns, kept = compiled.columns(packets, _USED)
    filled = _Followed(*(compiled.address(out[name]) for name in _ALL))
    fine = core.follow(byref(columns), blocks, count, compiled.address(grouped.order), compiled.address(grouped.reverse),
                       connections, compiled.address(grouped.begins), compiled.seed(), byref(filled))  # fmt: skip
    del kept
    if not fine:
        raise MemoryError
    for events, number in zip(_KINDS, filled.counted, strict=True):
        out |= {name: out[name][:number] for name in events}
    return _judged(packets, grouped, out)


def _judged(packets: Packets, grouped: Streams, out: dict[str, Any]) -> tuple[Any, ...]:
    found = Segments(packets, grouped, grouped.number, grouped.order, *(out[name] for name in (
        "flow", "time_ns", "payload", "flags", "seq", "end", "ack", "highest", "acked", "own_acked", "other_highest", "window",
        "late", "gap", "keep_alive", "opened", "scaled")))  # fmt: skip
    told = list(zip(*(out[name].tolist() for name in _TOLD), strict=True))
    again = out["again"]
    lost = Losses(again, out["kind"], losses.needless(found, again, told), out["out_of_order"], out["duplicate_ack"],
                  out["sack_high"], out["filled"])  # fmt: skip
    samples = Samples(out["answer"], out["asked"], out["rtt_ns"], out["ambiguous"])
    never = np.zeros(len(out["stamp_answer"]), np.bool_)
    stamps = Samples(out["stamp_answer"], out["stamp_asked"], out["stamp_rtt_ns"], never)
    summed = Sums(**{one.name: out[one.name] for one in fields(Sums)})
    return found, lost, out["fresh"], samples, stamps, out["handshake_ns"], out["initial_ns"], summed
