"""One capture surveyed from end to end in memory that does not grow with it: totals, connections, samples. It prints nothing.

Packets are read in chunks; TCP segments go to a temporary file, apart by a hash of their endpoints, and come back a batch of
whole connections at a time. A single connection of tens of millions of segments is the one thing that needs memory for
all of it.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from results.captures import connection_table, messages, quic, requests
from results.captures.columns import TYPES, Packets
from results.captures.connection_table import Analysis, Table
from results.captures.filters import Test
from results.captures.matching import identity
from results.captures.reader import Capture, Chunk
from results.captures.streams import pair_hash, tcp_rows

THREADS = min(2, len(os.sched_getaffinity(0)))
BATCH = 250_000 // THREADS
"""Segments analysed at once by each thread: about 150 MB for all. More are no faster."""
PARTS = 128
_KEPT = tuple(name for name in TYPES if name not in (
    "captured", "wire", "vlan", "ttl", "tos", "ip_id", "ip_length", "checksum", "payload_at", "icmp", "version",
    "mss"))  # fmt: skip
_SACK = np.dtype([("row", np.int64), ("left", np.uint32), ("right", np.uint32)])

Visitor = Callable[[Analysis], None]
ChunkVisitor = Callable[[Chunk, Any], None]


@dataclass
class Survey:
    """What a capture holds. `connections` has a row a connection, `requests` a row an HTTP exchange, `handshakes` a row a TLS
    handshake and `quic` one a QUIC connection; `protocols` are packets by name; times are ns since 1970. `apart`: connections
    are followed at each interface for itself, because many packets stand at several."""

    capture: Capture
    packets: int = 0
    shown: int = 0
    wire_bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    protocols: dict[str, int] = field(default_factory=dict)
    apart: bool = False
    connections: Table = field(default_factory=dict)
    requests: Table = field(default_factory=dict)
    handshakes: Table = field(default_factory=dict)
    quic: Table = field(default_factory=dict)


def survey(
    path: Path, wanted: Test | None = None, visit: tuple[Visitor, ...] = (), chunks: tuple[ChunkVisitor, ...] = ()
) -> Survey:
    """Read `path`. `wanted` chooses packets; `visit` is called with each batch of whole connections, before they have their
    final numbers, and `chunks` with each chunk and the mask of chosen packets. Raises CaptureError, OSError."""
    found = Survey(Capture(path))
    beginnings = messages.Messages()
    exchanges = requests.Exchanges(beginnings.found)
    datagrams = quic.Handshakes()
    with _Spool() as spool:
        for chunk in found.capture.chunks():
            packets = chunk.packets
            mask = None if wanted is None else wanted(packets)
            for one in (*chunks, beginnings.visit, datagrams.visit):
                one(chunk, mask)
            found.packets += len(packets)
            if mask is not None:
                packets = packets[mask]
            _count(found, packets)
            if len(found.capture.records.interfaces) > 1:
                found.capture.twice += _twice(packets)
            rows = tcp_rows(packets)
            spool.put(packets if len(rows) == len(packets) else packets[rows])
        tables = []
        # Of a merged capture a connection is followed at each point for itself: else all but the first would look sent again.
        found.apart = 10 * found.capture.twice > found.shown
        for analysis in _analysed(spool.batches(), found.apart):
            tables.append(analysis.table)
            for visitor in (*visit, exchanges.visit):
                visitor(analysis)
    found.connections = merged(tables)
    first_frames = found.connections["first_frame"]
    found.requests = requests.table(exchanges.http, requests.COLUMNS, first_frames)
    found.handshakes = requests.table(exchanges.tls, requests.TLS_COLUMNS, first_frames)
    found.quic = quic.table(datagrams.rows())
    return found


def _analysed(batches: Iterator[Packets], apart: bool) -> Iterator[Analysis]:
    """Each batch analysed, in order; the next one by another thread meanwhile, as numpy lets go of Python's lock."""
    first, second = next(batches, None), next(batches, None)
    if first is None or second is None or THREADS < 2:
        for batch in chain((one for one in (first, second) if one is not None), batches):
            yield connection_table.analyse(batch, apart)
        return
    from concurrent.futures import Future, ThreadPoolExecutor  # here: small captures need not wait for it

    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[Analysis]] = deque()
        for batch in chain((first, second), batches):
            waiting.append(pool.submit(connection_table.analyse, batch, apart))
            if len(waiting) == THREADS:
                yield waiting.popleft().result()
        for one in waiting:
            yield one.result()


def merged(tables: list[Table]) -> Table:
    """Connections of all batches, numbered by their first frames."""
    if not tables:
        return {name: [] if name in ("client", "server") else np.empty(0) for name in connection_table.COLUMNS}
    order = np.argsort(np.concatenate([table["first_frame"] for table in tables]), kind="stable")
    out: Table = {}
    for name in connection_table.COLUMNS:
        if isinstance(tables[0][name], list):
            whole = [value for table in tables for value in table[name]]
            out[name] = [whole[place] for place in order.tolist()]
        else:
            out[name] = np.concatenate([table[name] for table in tables])[order]
    out["stream"] = np.arange(len(order))
    return out


def _count(found: Survey, packets: Packets) -> None:
    if not len(packets):
        return
    found.first_ns = int(packets.time_ns.min()) if not found.shown else min(found.first_ns, int(packets.time_ns.min()))
    found.last_ns = max(found.last_ns, int(packets.time_ns.max()))
    found.shown += len(packets)
    found.wire_bytes += int(packets.wire.sum(dtype=np.int64))
    numbers = np.bincount(packets.protocol[packets.version > 0], minlength=256)
    for number in np.flatnonzero(numbers).tolist():
        name = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}.get(number, f"IP protocol {number}")
        found.protocols[name] = found.protocols.get(name, 0) + int(numbers[number])
    if rest := int((packets.version == 0).sum()):
        found.protocols["no IP"] = found.protocols.get("no IP", 0) + rest


def _twice(packets: Packets) -> int:
    """How many packets of a chunk another interface has too."""
    keys = identity(packets)
    order = np.lexsort((packets.interface, keys))
    keys, interface = keys[order], packets.interface[order]
    return int(((keys[1:] == keys[:-1]) & (interface[1:] != interface[:-1])).sum())


class _Spool:
    """TCP segments apart by endpoints: in memory while few, else in a temporary file, each chunk sorted by part."""

    def __init__(self) -> None:
        self._few: list[Packets] = []
        self._count = 0
        self._file: BinaryIO | None = None
        self._sizes: list[Any] = []
        self._begins: list[int] = []
        self._sacks: list[Any] = []

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file:
            self._file.close()

    def put(self, packets: Packets) -> None:
        """Keep some segments."""
        self._count += len(packets)
        if self._file is None:
            self._few.append(packets)
            if self._count > BATCH:
                self._file = tempfile.TemporaryFile(prefix="longhaul-analyse-")  # noqa: SIM115
                for one in self._few:
                    self._write(self._file, one)
                self._few.clear()
            return
        self._write(self._file, packets)

    def _write(self, file: BinaryIO, packets: Packets) -> None:
        part = (pair_hash(packets) % np.uint64(PARTS)).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        place = np.empty(len(packets), np.int64)
        place[order] = np.arange(len(packets))
        sacks = np.empty(len(packets.sack_row), _SACK)
        sacks["row"], sacks["left"], sacks["right"] = place[packets.sack_row], packets.sack_left, packets.sack_right
        sacks = sacks[np.argsort(sacks["row"], kind="stable")]
        self._sizes.append(np.bincount(part, minlength=PARTS))
        self._begins.append(file.tell())
        for name in _KEPT:  # column after column: rows would be scattered and gathered again
            file.write(memoryview(getattr(packets, name)[order]).cast("B"))
        file.write(sacks.tobytes())
        self._sacks.append(len(sacks))

    def batches(self) -> Iterator[Packets]:
        """Whole connections, some at a time, each in file order."""
        if self._file is None:
            if self._count:
                yield Packets.joined(self._few)
            self._few.clear()
            return
        self._file.flush()
        totals = np.sum(self._sizes, axis=0)
        waiting: list[int] = []
        for number in np.flatnonzero(totals).tolist():
            if waiting and totals[[*waiting, number]].sum() > BATCH:
                yield self._read(waiting)
                waiting = []
            waiting.append(number)
        if waiting:
            yield self._read(waiting)

    def _read(self, parts: list[int]) -> Packets:
        """Segments of neighbouring parts, a connection's in file order."""
        assert self._file is not None
        first, last = parts[0], parts[-1] + 1
        found = []
        for begin, sizes, sacks in zip(self._begins, self._sizes, self._sacks, strict=True):
            ends = np.cumsum(sizes)
            low, high, count = int(ends[first] - sizes[first]), int(ends[last - 1]), int(ends[-1])
            packets, at = Packets.zeros(high - low), begin
            for name in _KEPT:
                dtype = np.dtype(TYPES[name])
                setattr(packets, name, self._rows(at + low * dtype.itemsize, high - low, dtype))
                at += count * dtype.itemsize
            edges = self._rows(at, sacks, _SACK)
            edges = edges[np.searchsorted(edges["row"], low) : np.searchsorted(edges["row"], high)]
            packets.sack_row, packets.sack_left, packets.sack_right = edges["row"] - low, edges["left"], edges["right"]
            found.append(packets)
        return Packets.joined(found)

    def _rows(self, at: int, count: int, dtype: Any) -> Any:
        assert self._file is not None
        return np.frombuffer(os.pread(self._file.fileno(), count * dtype.itemsize, at), dtype)
