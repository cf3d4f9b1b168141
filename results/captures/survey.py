"""One capture surveyed from end to end in memory that does not grow with it: totals, connections, samples. It prints nothing.

Packets are read in chunks; TCP segments go to a temporary file, apart by a hash of their endpoints, and come back a batch of
whole connections at a time. A single connection of tens of millions of segments is the one thing that needs memory for
all of it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from results.captures import connection_table, framing, logged, lookups, messages, quic, requests
from results.captures.columns import Packets
from results.captures.connection_table import Analysis, Table
from results.captures.filters import Test
from results.captures.matching import identity
from results.captures.memory import Memories
from results.captures.reader import Capture, Chunk
from results.captures.spool import Spool
from results.captures.streams import tcp_rows
from results.logs import Record

THREADS = min(2, len(os.sched_getaffinity(0)))
BATCH = 250_000 // THREADS
"""Segments analysed at once by each thread: about 150 MB for all. More are no faster."""

Visitor = Callable[[Analysis], None]
ChunkVisitor = Callable[[Chunk, Any], None]


@dataclass
class Survey:
    """What a capture holds. `connections` has a row a connection, `requests` a row an HTTP or encrypted exchange, `handshakes`
    a row a TLS handshake, `quic` one a QUIC connection, `lookups` one a name look-up; `protocols` are packets by name; times
    are ns since 1970. `apart`: connections are followed at each interface for itself, because many packets stand at several."""

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
    lookups: Table = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What a person should know of it, in words: of the capture, and of what was not read or kept."""
        return [*self.capture.notes(), *self.left_out]


def survey(
    path: Path, wanted: Test | None = None, visit: tuple[Visitor, ...] = (), chunks: tuple[ChunkVisitor, ...] = (),
    records: Iterable[Record] = (),
) -> Survey:  # fmt: skip
    """Read `path`. `wanted` chooses packets; `visit` is called with each batch of whole connections, before they have their
    final numbers, and `chunks` with each chunk and the mask of chosen packets. Requests are told of `records` of logs.
    Raises CaptureError, OSError."""
    found = Survey(Capture(path))
    beginnings = messages.Messages()
    exchanges = requests.Exchanges(beginnings.found)
    datagrams, names = quic.Handshakes(), lookups.Lookups()
    with Spool() as spool:
        for chunk in _ahead(found.capture.chunks()) if _large(path) else found.capture.chunks():
            packets = chunk.packets
            mask = None if wanted is None else wanted(packets)
            for one in (*chunks, beginnings.visit, datagrams.visit, names.visit):
                one(chunk, mask)
            found.packets += len(packets)
            if mask is not None:
                packets = packets[mask]
            _count(found, packets)
            if len(found.capture.records.interfaces) > 1:
                found.capture.twice += _twice(packets)
            spool.put(packets, tcp_rows(packets))
        tables = []
        # Of a merged capture a connection is followed at each point for itself: else all but the first would look sent again.
        found.apart = 10 * found.capture.twice > found.shown
        for analysis in _analysed(spool, found.apart):
            tables.append(analysis.table)
            for visitor in (*visit, exchanges.visit):
                visitor(analysis)
    found.connections = merged(tables)
    first_frames = found.connections["first_frame"]
    found.requests = requests.table(exchanges.http, requests.COLUMNS, first_frames)
    found.handshakes = requests.table(exchanges.tls, requests.TLS_COLUMNS, first_frames)
    found.quic, found.lookups = quic.table(datagrams.rows()), lookups.table(names.rows())
    found.left_out = [note for one in (beginnings, exchanges, datagrams, names) for note in one.notes()]
    lookups.attach(found.requests, found.connections, found.lookups)
    logged.attach(found.requests, found.connections, records)
    return found


def _large(path: Path) -> bool:
    """Whether a second thread is worth its start. Of a pipe it would stay behind, waiting, when somebody interrupts."""
    return THREADS > 1 and path.is_file() and path.stat().st_size > framing.CHUNK_BYTES


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Each chunk while another thread reads the next."""
    from concurrent.futures import ThreadPoolExecutor  # here: small captures need not wait for it

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, chunks, None)
        while (chunk := waiting.result()) is not None:
            waiting = pool.submit(next, chunks, None)
            yield chunk


def _analysed(spool: Spool, apart: bool) -> Iterator[Analysis]:
    """Each batch analysed, in order, valid until the next one is asked for; by another thread meanwhile, if there are several:
    numpy and the core let go of Python's lock."""

    def analysed(parts: tuple[int, int], memories: Memories) -> Analysis:
        return connection_table.analyse(spool.read(*parts, memories), apart, memories)

    batches = list(spool.batches(BATCH))
    if len(batches) < 2 or THREADS < 2:
        memories = Memories()
        yield from (analysed(batch, memories) for batch in batches)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[tuple[Future[Analysis], Memories]] = deque()
        free = [Memories() for _ in range(THREADS + 1)]
        for batch in batches:
            waiting.append((pool.submit(analysed, batch, free[-1]), free.pop()))
            if not free:
                future, used = waiting.popleft()
                yield future.result()
                free.append(used)
        for future, _ in waiting:
            yield future.result()


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
