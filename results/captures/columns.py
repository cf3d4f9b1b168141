"""Packets as columns: one numpy array a header field, one row a frame. It holds no payload and decides nothing.

Addresses are two 64-bit halves of an IPv6 address; IPv4 stands as mapped, ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAPPED = 0x0000_FFFF_0000_0000
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
OPENING = 32
FRAGMENT, CUT, MALFORMED = 1, 2, 4
"""`state`: a later fragment (no transport header); cut by the snap length within a header; a header that contradicts itself."""

TYPES: dict[str, Any] = {
    "frame": np.int64, "time_ns": np.int64, "interface": np.uint16, "captured": np.uint32, "wire": np.uint32,
    "vlan": np.uint16, "version": np.uint8, "protocol": np.uint8, "state": np.uint8, "ttl": np.uint8, "tos": np.uint8,
    "ip_id": np.uint16, "ip_length": np.uint32, "source_high": np.uint64, "source_low": np.uint64,
    "destination_high": np.uint64, "destination_low": np.uint64, "source_port": np.uint16, "destination_port": np.uint16,
    "seq": np.uint32, "ack": np.uint32, "flags": np.uint16, "window": np.uint16, "checksum": np.uint16,
    "header_bytes": np.uint16, "payload": np.uint32, "payload_at": np.int64, "icmp": np.uint16,
    "opening": np.uint32, "has_stamp": np.bool_, "stamp": np.uint32, "echo": np.uint32, "mss": np.uint16, "scale": np.int8,
    "sack_permitted": np.bool_, "sacks": np.uint8,
}  # fmt: skip


@dataclass
class Packets:
    """Rows in file order. All arrays have one length, except the three of SACK blocks.

    `frame` counts from 1; `captured`, `wire`, `payload` and `header_bytes` are bytes, `payload` as on the wire and
    `payload_at` where it begins in the chunk; `version` is 4, 6 or 0 (no IP); `protocol` the transport's number behind all
    extension headers; `icmp` type * 256 + code; `opening` a digest of the first OPENING bytes of UDP's payload, or of what ICMP
    has behind its checksum, 0 where there are none or not all of them were captured; `vlan` the outer tag's number, 0 without;
    `scale` -1 when absent; `mss` 0 when absent. Fields that a packet does not have are 0. `sack_row` is the row of each SACK
    block (RFC 2018) in order, with its edges `sack_left` and `sack_right`.
    """

    frame: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    interface: NDArray[np.uint16]
    captured: NDArray[np.uint32]
    wire: NDArray[np.uint32]
    vlan: NDArray[np.uint16]
    version: NDArray[np.uint8]
    protocol: NDArray[np.uint8]
    state: NDArray[np.uint8]
    ttl: NDArray[np.uint8]
    tos: NDArray[np.uint8]
    ip_id: NDArray[np.uint16]
    ip_length: NDArray[np.uint32]
    source_high: NDArray[np.uint64]
    source_low: NDArray[np.uint64]
    destination_high: NDArray[np.uint64]
    destination_low: NDArray[np.uint64]
    source_port: NDArray[np.uint16]
    destination_port: NDArray[np.uint16]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    flags: NDArray[np.uint16]
    window: NDArray[np.uint16]
    checksum: NDArray[np.uint16]
    header_bytes: NDArray[np.uint16]
    payload: NDArray[np.uint32]
    payload_at: NDArray[np.int64]
    icmp: NDArray[np.uint16]
    opening: NDArray[np.uint32]
    has_stamp: NDArray[np.bool_]
    stamp: NDArray[np.uint32]
    echo: NDArray[np.uint32]
    mss: NDArray[np.uint16]
    scale: NDArray[np.int8]
    sack_permitted: NDArray[np.bool_]
    sacks: NDArray[np.uint8]
    sack_row: NDArray[np.int64]
    sack_left: NDArray[np.uint32]
    sack_right: NDArray[np.uint32]

    @classmethod
    def zeros(cls, rows: int) -> Packets:
        """`rows` packets that have no field yet."""
        columns = {name: np.zeros(rows, dtype) for name, dtype in TYPES.items()}
        columns["scale"].fill(-1)
        return cls(**columns, sack_row=np.empty(0, np.int64), sack_left=np.empty(0, np.uint32),
                   sack_right=np.empty(0, np.uint32))  # fmt: skip

    @classmethod
    def joined(cls, parts: Iterable[Packets]) -> Packets:
        """One after the other."""
        kept = list(parts)
        if len(kept) < 2:
            return kept[0] if kept else cls.zeros(0)
        begins = np.cumsum([0] + [len(part) for part in kept[:-1]])
        columns: dict[str, Any] = {one.name: np.concatenate([getattr(part, one.name) for part in kept]) for one in fields(cls)}
        columns["sack_row"] = np.concatenate([part.sack_row + begin for part, begin in zip(kept, begins, strict=True)])
        return cls(**columns)

    def copy(self) -> Packets:
        """The same in memory of its own."""
        return Packets(**{one.name: getattr(self, one.name).copy() for one in fields(self)})

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: NDArray[Any]) -> Packets:
        """The packets that a mask, or ascending row numbers, choose."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        place = np.full(len(self), -1, np.int64)
        place[chosen] = np.arange(len(chosen))
        moved = place[self.sack_row]
        kept = moved >= 0
        columns: dict[str, Any] = {name: getattr(self, name)[chosen] for name in TYPES}
        return Packets(**columns, sack_row=moved[kept], sack_left=self.sack_left[kept], sack_right=self.sack_right[kept])


def address(high: int, low: int) -> str:
    """As text."""
    if high == 0 and low >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(int(low) & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address(int(high) << 64 | int(low)))


def endpoint(packets: Packets, side: str, row: int) -> tuple[int, int, int]:
    """(high, low, port) of the `source` or `destination` of a packet, as `address` takes the first two."""
    high, low, port = (int(getattr(packets, f"{side}_{part}")[row]) for part in ("high", "low", "port"))
    return high, low, port


def packed(high: int, low: int) -> bytes:
    """4 or 16 bytes in network order."""
    whole = int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")
    return whole[12:] if high == 0 and low >> 32 == 0xFFFF else whole
