"""Packets that begin an HTTP/1.1 message or a TLS record, with the bytes that were captured of them. It joins no packets.

A message is seen when it begins a packet's payload, as requests and responses that wait for each other do; one that begins
within a packet, behind another, is not. What the snap length cut is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from results.captures.columns import TCP
from results.captures.reader import Chunk
from results.captures.records import gather
from results.captures.streams import endpoint_hash

KEPT_BYTES = 2048
MOST_BYTES = 64 << 20
"""Messages beyond so much are counted and not kept: memory is to stay flat."""
_BEGINNINGS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"DELE", b"OPTI", b"PATC", b"PURG", b"HTTP")
_WORDS = [int.from_bytes(word, "big") for word in _BEGINNINGS]
CHANGE_CIPHER, HANDSHAKE, APPLICATION = 0x14, 0x16, 0x17
_BEGINS = np.isin(np.arange(256), [*(word[0] for word in _BEGINNINGS), CHANGE_CIPHER, HANDSHAKE, APPLICATION])
"""By first byte: whether a message may begin with it."""


@dataclass
class Messages:
    """Beginnings by frame number."""

    found: dict[int, bytes] = field(default_factory=dict)
    left_out: int = 0
    room: int = MOST_BYTES

    def notes(self) -> list[str]:
        """What a person should know of it, in words."""
        many = f"{self.left_out} beginnings of messages were left out: requests and handshakes lack them"
        return [many] if self.left_out else []

    def visit(self, chunk: Chunk, mask: Any) -> None:
        """For `survey`: keep what a chunk holds."""
        packets, frames = chunk.packets, chunk.frames
        end = frames.at + frames.captured
        carries = (packets.protocol == TCP) & (packets.payload > 0) & (packets.payload_at > 0) & (packets.payload_at + 4 <= end)
        rows = np.flatnonzero(carries if mask is None else carries & mask)
        if not len(rows):
            return
        rows = rows[_BEGINS[gather(frames.data, packets.payload_at[rows], 1, "u1")[:, 0]]]
        if not len(rows):
            return
        word = gather(frames.data, packets.payload_at[rows], 4, ">u4")[:, 0].astype(np.int64)
        record = (word >> 16 & 0xFF == 3) & (word >> 8 & 0xFF <= 4)
        wanted = np.isin(word, _WORDS) | (record & (word >> 24 == HANDSHAKE))
        # Of records with data only a sender's first matters, and there are many: one a chunk, kind and sender.
        other = np.flatnonzero(record & np.isin(word >> 24, (CHANGE_CIPHER, APPLICATION)))
        if len(other):
            mine = rows[other]
            sender = endpoint_hash(packets.source_high[mine], packets.source_low[mine], packets.source_port[mine])
            wanted[other[np.unique(sender ^ (word[other] >> 24).astype(np.uint64), return_index=True)[1]]] = True
        for row in rows[wanted].tolist():
            if self.room <= 0:
                self.left_out += 1
                continue
            beginning = chunk.payload(row)[:KEPT_BYTES]
            self.found[int(packets.frame[row])] = beginning
            self.room -= len(beginning) + 100
