"""TCP segments put aside apart by their endpoints, to come back a batch of whole connections at a time. It follows none.

The first wait in memory, all others in a temporary file; of each chunk the segments of a part lie together, a row a segment.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from results.captures import compiled
from results.captures.columns import TCP, TYPES, Packets
from results.captures.errors import CaptureError
from results.captures.streams import Ints, pair_hash

PARTS = 128
IN_MEMORY = 64 << 20
"""Bytes of segments that wait in memory: those of some 800,000."""
ROW = np.dtype([(name, TYPES[name]) for name in (
    "frame", "time_ns", "source_high", "source_low", "destination_high", "destination_low", "seq", "ack", "payload", "stamp",
    "echo", "interface", "source_port", "destination_port", "flags", "window", "has_stamp", "scale", "sacks")])  # fmt: skip
"""What following a connection takes of a segment; the largest first."""
_SACK = np.dtype([("row", np.int64), ("left", np.uint32), ("right", np.uint32)])


class _Block(NamedTuple):
    """Segments of one chunk and their SACK blocks: where each part ends among them, and they, or where in the file they lie."""

    ends: Ints
    sack_ends: Ints
    rows: Any
    sacks: Any


class Spool:
    """Takes segments in file order, gives them back by connection."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._file: BinaryIO | None = None
        self._bytes = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file:
            self._file.close()

    def put(self, packets: Packets, chosen: Ints) -> None:
        """Keep the rows `chosen` (ascending) of some packets, which are TCP segments."""
        order, sizes = _apart(packets, chosen)
        rows = pack(packets, order)
        place = np.full(len(packets), -1, np.int64)
        place[order] = np.arange(len(order))
        place = place[packets.sack_row]
        kept = np.flatnonzero(place >= 0)
        kept = kept[np.argsort(place[kept], kind="stable")]
        sacks = np.empty(len(kept), _SACK)
        sacks["row"], sacks["left"], sacks["right"] = place[kept], packets.sack_left[kept], packets.sack_right[kept]
        ends = np.cumsum(sizes)
        self._blocks.append(_Block(ends, np.searchsorted(sacks["row"], ends), self._put(rows), self._put(sacks)))

    def _put(self, rows: Any) -> Any:
        self._bytes += rows.nbytes
        if self._bytes <= IN_MEMORY:
            return rows
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="longhaul-analyse-")  # noqa: SIM115
        at = self._file.tell()
        self._file.write(rows.view(np.uint8))
        return at

    def batches(self, most: int) -> Iterator[tuple[int, int]]:
        """(first part, behind the last) of batches of at most so many segments, or of one part that has more."""
        if self._file:
            self._file.flush()
        if not self._blocks:
            return
        totals = np.sum([np.diff(block.ends, prepend=0) for block in self._blocks], axis=0)
        first, count = 0, 0
        for part, size in enumerate(totals.tolist()):
            if count and count + size > most:
                yield first, part
                first, count = part, 0
            count += size
        if count:
            yield first, PARTS

    def read(self, first: int, behind: int) -> Packets:
        """Segments of some parts, each connection's in file order. Any number of threads may read at once."""
        cuts = [_cut(block.ends, first, behind) for block in self._blocks]
        sack_cuts = [_cut(block.sack_ends, first, behind) for block in self._blocks]
        rows = np.empty(sum(high - low for low, high in cuts), ROW)
        sacks = np.empty(sum(high - low for low, high in sack_cuts), _SACK)
        at = sack_at = 0
        for block, (low, high), (sack_low, sack_high) in zip(self._blocks, cuts, sack_cuts, strict=True):
            self._into(rows[at : at + high - low], block.rows, low)
            mine = sacks[sack_at : sack_at + sack_high - sack_low]
            self._into(mine, block.sacks, sack_low)
            mine["row"] += at - low
            at, sack_at = at + high - low, sack_at + sack_high - sack_low
        found = unpack(rows)
        found.sack_row, found.sack_left, found.sack_right = (np.ascontiguousarray(sacks[name]) for name in _SACK.fields or ())
        return found

    def _into(self, target: Any, source: Any, begin: int) -> None:
        if not isinstance(source, int):
            target.view(np.uint8)[:] = source[begin : begin + len(target)].view(np.uint8)  # row by row takes five times as long
            return
        assert self._file is not None
        done = os.preadv(self._file.fileno(), [target.view(np.uint8)], source + begin * target.itemsize)
        if done < target.nbytes:
            raise CaptureError(f"could not read back a file in {tempfile.gettempdir()}: it ends early; look at that disk")


def _cut(ends: Ints, first: int, behind: int) -> tuple[int, int]:
    return int(ends[first - 1]) if first else 0, int(ends[behind - 1])


def _apart(packets: Packets, chosen: Ints) -> tuple[Ints, Ints]:
    """The rows in the order of their parts, each in file order, and how many each part has."""
    if (core := compiled.core()) is not None:
        return compiled.apart(core, packets, chosen, PARTS)
    part = (pair_hash(packets)[chosen] % np.uint64(PARTS)).astype(np.uint8)
    return chosen[np.argsort(part, kind="stable")], np.bincount(part, minlength=PARTS)


def pack(packets: Packets, order: Ints) -> Any:
    """Rows of `ROW`, those of `order`."""
    rows = np.empty(len(order), ROW)
    if (core := compiled.core()) is not None:
        compiled.pack(core, packets, order, rows)
    else:
        for name in ROW.names or ():
            rows[name] = getattr(packets, name)[order]
    return rows


def unpack(rows: Any) -> Packets:
    """The packets of rows of `ROW`, without what stands in none."""
    found = Packets.zeros(len(rows))
    found.protocol[:], found.header_bytes[:] = TCP, 20
    if (core := compiled.core()) is not None:
        columns = compiled.unpack(core, rows)
    else:
        columns = {name: np.ascontiguousarray(rows[name]) for name in ROW.names or ()}
    for name, column in columns.items():
        setattr(found, name, column)
    return found
