"""Frames of a classic pcap (draft-ietf-opsawg-pcap), of either byte order, micro- or nanoseconds. It opens no file."""

from __future__ import annotations

import struct

import numpy as np

from results.captures.blocks import Interface
from results.captures.boundaries import Shape, walk
from results.captures.formats import CLASSIC_MAGICS
from results.captures.memory import Memory
from results.captures.records import LARGEST_RECORD, Frames, Records, claims, damaged


class Classic:
    """A classic pcap: one interface, records of one kind."""

    def __init__(self, head: bytes, records: Records) -> None:
        self.order, self._unit_ns = CLASSIC_MAGICS[head[:4]]
        self._records, self.count = records, 0
        _, snap_bytes, linktype = struct.unpack_from(self.order + "III", head, 12)
        records.kind = "pcap"
        records.interfaces.append(Interface(linktype & 0xFFFF, snap_bytes, 10**9 // self._unit_ns))
        self._shape: Shape | None = None

    def frames(self, data: bytearray, start: int, end: int, memory: Memory) -> tuple[Frames | None, int]:
        """Frames of data[start:end], and where they end; what they hold lies in `memory`, too."""
        if end - start < 16:
            return None, start
        if self._shape is None:
            self._shape = Shape(self.order, 16, 8, 16, 4, False, Guess(self.order, data, start, self._unit_ns))
        at, after, (seconds, fraction, captured, wire) = walk(data, start, end, self._shape, memory)
        bad = np.flatnonzero(captured > LARGEST_RECORD)
        if len(bad) or (after == start and claims(data, after, end, self.order, 8) > LARGEST_RECORD):
            first = int(bad[0]) if len(bad) else 0
            where = int(at[first]) if len(bad) else start
            at = at[:first]
            seconds, fraction, captured, wire = (part[:first] for part in (seconds, fraction, captured, wire))
            size = claims(data, where, end, self.order, 8)
            self._records.problem = damaged(self._records, f"the next record claims {size} bytes of a frame", len(at))
        time_ns = seconds * np.int64(10**9) + fraction * np.int64(self._unit_ns)
        found = Frames(data, at + 16, captured, wire, time_ns, np.zeros(len(at), np.uint32), self.count + 1)
        self.count += len(at)
        return found, after


class Guess:
    """A plausible record header: the same upper half of its seconds as the first packet's, a fraction of a second and a
    length that can be, and the same of its successor."""

    def __init__(self, order: str, data: bytearray, at: int, unit_ns: int) -> None:
        self._head = struct.Struct(order + "IIII").unpack_from
        self._skip = 2 if order == "<" else 0
        self._half = bytes(data[at + self._skip : at + self._skip + 2])
        self._second = 10**9 // unit_ns

    def __call__(self, data: bytearray, start: int, end: int) -> int:
        at = start - 1
        for _ in range(64):
            at = data.find(self._half, at + 1 + self._skip, end) - self._skip
            if at < start or at + 16 > end:
                return -1
            after = self._after(data, at)
            if after and (after + 16 > end or self._after(data, after)):
                return at
        return -1

    def _after(self, data: bytearray, at: int) -> int:
        _, fraction, captured, wire = self._head(data, at)
        same = data[at + self._skip : at + self._skip + 2] == self._half
        return at + 16 + captured if same and fraction < self._second and 0 < captured <= min(wire, 262_144) else 0
