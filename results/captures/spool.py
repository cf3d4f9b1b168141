"""TCP segments put aside apart by their endpoints, to come back a batch of whole connections at a time. It follows none.

The first wait in memory, all others in a temporary file; of each chunk the segments of a part lie together, a row a segment.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.captures import compiled
from results.captures.columns import TCP, TYPES, Packets
from results.captures.errors import CaptureError
from results.captures.memory import Memories, Memory
from results.captures.streams import Ints, pair_hash

PARTS = 1024
"""Few enough that a chunk has some segments of each, many enough that those of one part of 100 million fit into memory."""
IN_MEMORY = 64 << 20
"""Bytes of segments that wait in memory: those of some 800,000."""
ROW = np.dtype([(name, TYPES[name]) for name in (
    "frame", "time_ns", "source_high", "source_low", "destination_high", "destination_low", "seq", "ack", "payload", "stamp",
    "echo", "interface", "source_port", "destination_port", "flags", "window", "has_stamp", "scale", "sacks")])  # fmt: skip
"""What following a connection takes of a segment; the largest first."""
_NARROW = np.dtype([(name, TYPES[name]) for name in ROW.names or () if not name.endswith("_high")])
"""The same of IPv4, whose addresses have 0 there: less to write down and to read back."""
_SACK = np.dtype([("row", np.int64), ("left", np.uint32), ("right", np.uint32)])


class _Block(NamedTuple):
    """Segments of one chunk and their SACK blocks: where each part ends among them, and they, or where in the file they lie."""

    ends: NDArray[np.uint32]
    sack_ends: NDArray[np.uint32]
    rows: Any
    sacks: Any


class Spool:
    """Takes segments in file order, gives them back by connection."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._narrow = 0  # so many of them hold rows of IPv4 alone: those before the first of another kind
        self._memory: Any = np.empty(IN_MEMORY, np.uint8)
        self._used = 0
        self._file: BinaryIO | None = None
        self._written = Memory()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file:
            self._file.close()

    def put(self, packets: Packets, chosen: Ints) -> None:
        """Keep the rows `chosen` (ascending) of some packets, which are TCP segments."""
        if not len(chosen):
            return
        kind = ROW
        if self._narrow == len(self._blocks) and not packets.source_high.any() and not packets.destination_high.any():
            kind, self._narrow = _NARROW, self._narrow + 1
        order, ends, place = _apart(packets, chosen)
        size = len(order) * kind.itemsize
        stays = self._used + size <= IN_MEMORY
        if stays:
            rows, self._used = self._memory[self._used : self._used + size].view(kind), self._used + size
        else:
            rows = self._written.arrays({"rows": (len(order), kind)})["rows"]
        pack(packets, order, rows)
        at = np.clip(place[packets.sack_row], 0, len(order) - 1)
        kept = np.flatnonzero(order[at] == packets.sack_row)
        kept = kept[np.argsort(at[kept], kind="stable")]
        at, sacks = at[kept], np.empty(len(kept), _SACK)
        sacks["row"], sacks["left"], sacks["right"] = at, packets.sack_left[kept], packets.sack_right[kept]
        where = (rows, sacks) if stays else (self._write(rows), self._write(sacks))
        self._blocks.append(_Block(ends.astype(np.uint32), np.searchsorted(at, ends).astype(np.uint32), *where))

    def _write(self, rows: Any) -> int:
        """Where in the file they begin."""
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
        totals = np.diff(np.sum([block.ends for block in self._blocks], axis=0, dtype=np.int64), prepend=0)
        first, count = 0, 0
        for part, size in enumerate(totals.tolist()):
            if count and count + size > most:
                yield first, part
                first, count = part, 0
            count += size
        if count:
            yield first, PARTS

    def read(self, first: int, behind: int, memories: Memories) -> Packets:
        """Segments of some parts, each connection's in file order; they lie in `memories`. Any number of threads may read."""
        cuts = [_cut(block.ends, first, behind) for block in self._blocks]
        sack_cuts = [_cut(block.sack_ends, first, behind) for block in self._blocks]
        narrow, wide, sack_count = (sum(high - low for low, high in one) for one in (
            cuts[: self._narrow], cuts[self._narrow :], sack_cuts))  # fmt: skip
        into = memories["rows"].arrays({"narrow": (narrow, _NARROW), "wide": (wide, ROW), "sacks": (sack_count, _SACK)})
        at = sack_at = 0
        for block, (low, high), (sack_low, sack_high) in zip(self._blocks, cuts, sack_cuts, strict=True):
            rows, here = (into["narrow"], at) if at < narrow else (into["wide"], at - narrow)
            self._into(rows[here : here + high - low], block.rows, low)
            mine = into["sacks"][sack_at : sack_at + sack_high - sack_low]
            self._into(mine, block.sacks, sack_low)
            mine["row"] += at - low
            at, sack_at = at + high - low, sack_at + sack_high - sack_low
        found = unpack((into["narrow"], into["wide"]), memories["columns"])
        found.sack_row, found.sack_left, found.sack_right = (into["sacks"][name].copy() for name in _SACK.names or ())
        return found

    def _into(self, target: Any, source: Any, begin: int) -> None:
        if not isinstance(source, int):
            target.view(np.uint8)[:] = source[begin : begin + len(target)].view(np.uint8)  # row by row takes five times as long
            return
        assert self._file is not None
        done = os.preadv(self._file.fileno(), [target.view(np.uint8)], source + begin * target.itemsize)
        if done < target.nbytes:
            raise CaptureError(f"could not read back a file in {tempfile.gettempdir()}: it ends early; look at that disk")


def _cut(ends: NDArray[np.uint32], first: int, behind: int) -> tuple[int, int]:
    return int(ends[first - 1]) if first else 0, int(ends[behind - 1])


def _apart(packets: Packets, chosen: Ints) -> tuple[Ints, Ints, NDArray[np.int32]]:
    """The rows in the order of their parts, each in file order, where each part ends, and by row its place in that order; of
    rows that are not chosen anything."""
    if (core := compiled.core()) is not None:
        return compiled.apart(core, packets, chosen, PARTS)
    part = (pair_hash(packets)[chosen] % np.uint64(PARTS)).astype(np.uint16)
    order, place = chosen[np.argsort(part, kind="stable")], np.zeros(len(packets), np.int32)
    place[order] = np.arange(len(order))
    return order, np.cumsum(np.bincount(part, minlength=PARTS)), place


def pack(packets: Packets, order: Ints, rows: Any) -> None:
    """Fill rows of `ROW`, or of fewer columns, with the packets of `order`."""
    if (core := compiled.core()) is not None:
        compiled.pack(core, packets, order, rows)
        return
    for name in rows.dtype.names:
        rows[name] = getattr(packets, name)[order]


def unpack(pieces: tuple[Any, ...], memory: Memory) -> Packets:
    """The packets of rows of `ROW`, or of fewer columns; what stands in none is 0."""
    count, at, core = sum(map(len, pieces)), 0, compiled.core()
    columns = memory.arrays({name: (count, ROW[name]) for name in ROW.names or ()})
    for rows in pieces:
        mine = {name: column[at : at + len(rows)] for name, column in columns.items()}
        at += len(rows)
        for name in mine.keys() - set(rows.dtype.names):
            mine.pop(name)[:] = 0
        if core is not None:
            compiled.unpack(core, rows, mine)
        else:
            for name, column in mine.items():
                column[:] = rows[name]
    same = {"protocol": TCP, "header_bytes": 20}
    for name, kind in TYPES.items():
        if name not in columns:
            columns[name] = np.broadcast_to(np.array(same.get(name, 0), kind), count)
    none = Packets.zeros(0)
    return Packets(**columns, sack_row=none.sack_row, sack_left=none.sack_left, sack_right=none.sack_right)
