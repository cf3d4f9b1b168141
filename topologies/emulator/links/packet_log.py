"""What became of every frame on emulated links, written down while somebody asks for it. It is no capture: it is the emulator's
own account, which captures at both ends of a link can be held against.

The log is memory that the lab gives: records one behind the other, as many as fit. What does not fit is counted.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

QUEUED, RELEASED, QUEUE_FULL, CODEL, DOWN, LOST, FAILED, REFUSED = range(1, 9)
WHY = {QUEUE_FULL: "the queue was full", CODEL: "CoDel took it from the queue", DOWN: "the link was down",
       LOST: "lost on the wire, as specified", FAILED: "the receiving interface refused it",
       REFUSED: "the relay held too much already"}  # fmt: skip
"""Events that are the end of a frame. A frame that is duplicated is queued once; each copy is released or lost."""

RECORD = struct.Struct("=qiiii")
"""`struct record` of core/log.c: when (CLOCK_MONOTONIC, ns), port, event, bytes of the frame as it was read, bytes kept of it.
These follow, padded to a multiple of 8 bytes."""


class PacketLog:
    """Takes records into `memory`, of each frame the first `snap_bytes`."""

    def __init__(self, memory: memoryview, snap_bytes: int) -> None:
        self._memory, self._snap_bytes = memory, snap_bytes
        self.used = self.left_out = 0

    def add(self, port: int, event: int, content: bytes, at_ns: int) -> None:
        """One more, or one more left out."""
        kept = min(len(content), self._snap_bytes)
        size = RECORD.size + (kept + 7 & ~7)
        if self.used + size > len(self._memory):
            self.left_out += 1
            return
        RECORD.pack_into(self._memory, self.used, at_ns, port, event, len(content), kept)
        begin = self.used + RECORD.size
        self._memory[begin : begin + kept] = content[:kept]
        self.used += size


class Record(NamedTuple):
    """One record as it lies in memory."""

    at_ns: int
    port: int
    event: int
    length: int
    content: bytes


def records(memory: memoryview) -> Iterator[Record]:
    """Those that are in the memory, in the order of time: that a frame was lost on the wire is noticed later than it was."""
    found, at = [], 0
    while at < len(memory):
        at_ns, _, _, _, kept = RECORD.unpack_from(memory, at)
        found.append((at_ns, at))
        at += RECORD.size + (kept + 7 & ~7)
    for _, at in sorted(found):
        at_ns, port, event, length, kept = RECORD.unpack_from(memory, at)
        yield Record(at_ns, port, event, length, bytes(memory[at + RECORD.size : at + RECORD.size + kept]))


class Noted(NamedTuple):
    """What became of one frame when: `event` as above; `content` is what was kept of it, `length` all its bytes."""

    at_ns: int
    link: str
    way: str
    event: int
    length: int
    content: bytes


class Origin(NamedTuple):
    """Which direction a port is, and how many bytes stand in front of its frames that are none of theirs."""

    link: str
    way: str
    header_bytes: int


@dataclass
class Log:
    """All logs of a backend. `left_out` is how many records did not fit into the memory."""

    parts: Sequence[tuple[memoryview, dict[int, Origin]]]
    left_out: int

    def noted(self) -> Iterator[Noted]:
        """Every record, in the order of time."""
        return heapq.merge(*(_noted(memory, ports) for memory, ports in self.parts), key=lambda one: one.at_ns)


def _noted(memory: memoryview, ports: dict[int, Origin]) -> Iterator[Noted]:
    for one in records(memory):
        link, way, skip = ports[one.port]
        yield Noted(one.at_ns, link, way, one.event, one.length - skip, one.content[skip:])
