"""QUIC handshakes seen from outside: version, Initial to the server's answer, Initial to the client's first short packet.

It decrypts nothing: invariants of the long header (RFC 8999), packet types of versions 1 and 2 (RFC 9000 section 17.2, RFC 9369
section 3.2). A client's first short-header packet (1-RTT) shows that its handshake is complete. Packets that follow another in
one datagram are found as far as the capture holds their headers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from results.captures.columns import UDP, address, endpoint
from results.captures.reader import Chunk
from results.captures.records import gather
from results.captures.streams import pair_hash
from results.captures.typed import columns

COLUMNS = {
    "client": "address that sent the first Initial", "client_port": "", "server": "", "server_port": "",
    "version": "that the server answered in; else that the client asked for", "initial_frame": "the client's first",
    "answer_frame": "the server's first", "done_frame": "first short-header packet of the client",
    "start_ns": "of initial_frame",
    "answer_ms": "Initial to answer", "handshake_ms": "Initial to done_frame",
    "retry": "whether the server sent a Retry", "zero_rtt": "whether the client sent 0-RTT data",
    "version_negotiation": "whether the server answered with Version Negotiation",
}  # fmt: skip
V1, V2 = 0x00000001, 0x6B3343CF
_DRAFTS = range(0xFF00001B, 0xFF000023)
NAMES = {V1: "1", V2: "2", **{one: f"draft-{one & 0xFF}" for one in _DRAFTS}}
INITIAL, ZERO_RTT, HANDSHAKE, RETRY, NEGOTIATION, SHORT = range(6)
_SHOWN_BYTES = 2048
MOST = 50_000
"""Connections beyond so many are not followed: memory is to stay flat."""


@dataclass
class _Connection:
    client: tuple[int, int, int]
    server: tuple[int, int, int]
    version: int
    initial_frame: int
    start_ns: int
    answer: tuple[int, int] = (0, 0)
    done: tuple[int, int] = (0, 0)
    seen: set[int] = field(default_factory=set)


@dataclass
class Handshakes:
    """Collects connections, chunk by chunk."""

    found: list[_Connection] = field(default_factory=list)
    left_out: int = 0
    _open: dict[int, _Connection] = field(default_factory=dict)

    def visit(self, chunk: Chunk, mask: Any) -> None:
        """For `survey`: follow what a chunk holds."""
        packets, frames = chunk.packets, chunk.frames
        whole = (packets.protocol == UDP) & (packets.payload >= 21) & (packets.payload_at > 0) \
            & (packets.payload_at + 5 <= frames.at + frames.captured)  # fmt: skip
        rows = np.flatnonzero(whole if mask is None else whole & mask)
        if not len(rows):
            return
        heads = gather(frames.data, packets.payload_at[rows], 8, "u1")
        version = heads[:, 1:5].copy().view(">u4")[:, 0]
        long = (heads[:, 0] & 0x80) > 0
        long &= np.isin(version, [0, *NAMES])
        short = (heads[:, 0] & 0xC0) == 0x40
        pair = pair_hash(packets)[rows]
        # Of the many short packets only those of connections count that are not complete, or begin in this chunk.
        wanted = np.array([key for key, one in self._open.items() if not one.done[0]], np.uint64)
        asked = long | (short & np.isin(pair, np.concatenate([wanted, pair[long].astype(np.uint64)])))
        for place in np.flatnonzero(asked).tolist():
            self._packet(chunk, int(rows[place]), int(pair[place]), bool(long[place]))

    def _packet(self, chunk: Chunk, row: int, pair: int, long: bool) -> None:
        packets = chunk.packets
        known = self._open.get(pair)
        if known is not None and known.done[0] and not long:
            return
        ends = endpoint(packets, "source", row), endpoint(packets, "destination", row)
        kinds = list(kinds_of(chunk.payload(row)[:_SHOWN_BYTES]))
        frame, time_ns = int(packets.frame[row]), int(packets.time_ns[row])
        if known is None or (kinds and kinds[0][0] == INITIAL and known.done[0] and ends[0] == known.client):
            if not kinds or kinds[0][0] != INITIAL:
                return
            if len(self.found) >= MOST:
                self.left_out += 1
                return
            known = self._open[pair] = _Connection(ends[0], ends[1], kinds[0][1], frame, time_ns)
            self.found.append(known)
        from_client = ends[0] == known.client
        known.seen |= {kind for kind, _ in kinds if from_client == (kind == ZERO_RTT)}
        if not from_client and not known.answer[0]:
            known.answer = frame, time_ns
        if not from_client and kinds and kinds[0][0] in (INITIAL, HANDSHAKE):
            known.version = kinds[0][1]
        if from_client and not known.done[0] and any(kind == SHORT for kind, _ in kinds) and known.answer[0]:
            known.done = frame, time_ns

    def notes(self) -> list[str]:
        """What a person should know of it, in words."""
        return [f"{self.left_out} first packets of QUIC connections beyond {MOST} were left out"] if self.left_out else []

    def rows(self) -> list[dict[str, Any]]:
        """One a connection, in order of time."""
        return [_row(one) for one in sorted(self.found, key=lambda one: one.start_ns)]


def kinds_of(datagram: bytes) -> Iterator[tuple[int, int]]:
    """(kind, version) of each QUIC packet in a datagram, as far as it was captured; a short packet has version 0."""
    at = 0
    while at < len(datagram):
        first = datagram[at]
        if not first & 0x80:
            if first & 0x40:
                yield SHORT, 0
            return  # it reaches to the end of the datagram (RFC 9000 section 12.2); zeros are padding
        version = int.from_bytes(datagram[at + 1 : at + 5], "big")
        if len(datagram) < at + 6 or (version and version not in NAMES):
            return
        if version == 0:
            yield NEGOTIATION, 0
            return
        kind = ((first >> 4 & 3) - (version == V2)) % 4
        yield kind, version
        if kind == RETRY:
            return
        ids = at + 6 + datagram[at + 5]
        if ids >= len(datagram):
            return
        at = ids + 1 + datagram[ids]
        if kind == INITIAL:
            token, at = _number(datagram, at)
            at += token
        size, at = _number(datagram, at)
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000 section 16) and where it ends; beyond all data when it is not there."""
    if at >= len(data):
        return 0, len(data)
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        return 0, len(data)
    return int.from_bytes(data[at : at + size], "big") & (1 << (8 * size - 2)) - 1, at + size


def _row(one: _Connection) -> dict[str, Any]:
    def since(moment: tuple[int, int]) -> float:
        return (moment[1] - one.start_ns) / 1e6 if moment[0] else math.nan

    return {
        "client": address(*one.client[:2]), "client_port": one.client[2], "server": address(*one.server[:2]),
        "server_port": one.server[2], "version": NAMES.get(one.version, f"0x{one.version:08x}"),
        "initial_frame": one.initial_frame, "answer_frame": one.answer[0], "done_frame": one.done[0], "start_ns": one.start_ns,
        "answer_ms": since(one.answer), "handshake_ms": since(one.done), "retry": int(RETRY in one.seen),
        "zero_rtt": int(ZERO_RTT in one.seen), "version_negotiation": int(NEGOTIATION in one.seen),
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as columns."""
    return columns(rows, COLUMNS)
