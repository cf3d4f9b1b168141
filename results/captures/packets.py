"""A capture file as a stream of TCP segments, read with scapy's raw readers and `struct`. It dissects nothing else.

Packets that are not TCP over IPv4 or IPv6 are passed over. Lengths come from the IP header, not from what was
captured, so a capture of headers only (`tcpdump -s 128`) gives the same numbers as a full one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from results.captures.errors import CaptureError
from results.captures.framing import check_whole

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

_ETHERNET, _RAW = 1, (12, 14, 101, 228, 229)
_LINK_HEADER = {_ETHERNET: (14, 12), 113: (16, 14), 276: (20, 0)}
"""Link type -> bytes of its header, and where its two bytes of EtherType stand (tcpdump.org/linktypes.html)."""

_IP4, _IP6, _VLAN = 0x0800, 0x86DD, (0x8100, 0x88A8)
_u16 = struct.Struct(">H").unpack_from
_u32 = struct.Struct(">I").unpack_from


class Segment(NamedTuple):
    """One TCP segment. `time_ns` since 1970; addresses are packed (4 or 16 bytes); `payload_bytes` as on the wire."""

    time_ns: int
    source: tuple[bytes, int]
    destination: tuple[bytes, int]
    seq: int
    ack: int
    flags: int
    payload_bytes: int


def segments(path: Path) -> Iterator[Segment]:
    """Every TCP segment of a pcap or pcapng file, in file order. Raises CaptureError, also for a truncated file."""
    kind = check_whole(path)
    from scapy.utils import RawPcapNgReader, RawPcapReader

    reader: Any = (RawPcapReader if kind == "pcap" else RawPcapNgReader)(str(path))
    try:
        nano = 1 if kind == "pcap" and reader.nano else 1000
        for data, meta in reader:
            if kind == "pcap":
                time_ns, linktype = meta.sec * 10**9 + meta.usec * nano, reader.linktype
            else:
                if meta.tshigh is None:
                    raise CaptureError(f"could not read {path.name}: it has packets without a time (simple packet "
                                       "blocks); capture with tcpdump or dumpcap")  # fmt: skip
                time_ns, linktype = (meta.tshigh << 32 | meta.tslow) * 10**9 // meta.tsresol, meta.linktype
            try:
                segment = decode(data, linktype, time_ns, meta.wirelen)
            except struct.error as error:
                raise CaptureError(f"could not read {path.name}: a packet was cut at {len(data)} bytes, within its "
                                   "headers; capture with a snap length of at least 128 bytes") from error  # fmt: skip
            except ValueError as error:
                raise CaptureError(f"could not read {path.name}: {error}") from error
            if segment is not None:
                yield segment
    finally:
        reader.close()


def decode(data: bytes, linktype: int, time_ns: int, wire_bytes: int) -> Segment | None:
    """One frame as a segment, None when it is not TCP. Raises struct.error when cut within the headers, ValueError
    for a link type it does not know."""
    at, ethertype = _network_layer(data, linktype)
    if ethertype == _IP4:
        head = (data[at] & 0x0F) * 4 if len(data) > at else 0
        if data[at + 9 : at + 10] != b"\x06":
            return None
        if _u16(data, at + 6)[0] & 0x1FFF:  # a later fragment has no TCP header
            return None
        # A total length of 0 is a super-packet of TCP segmentation offload: the frame's own length counts then.
        total = _u16(data, at + 2)[0] or wire_bytes - at
        source, destination, tcp = data[at + 12 : at + 16], data[at + 16 : at + 20], at + head
        payload = total - head
    elif ethertype == _IP6:
        if data[at + 6 : at + 7] != b"\x06":
            return None
        source, destination, tcp = data[at + 8 : at + 24], data[at + 24 : at + 40], at + 40
        payload = _u16(data, at + 4)[0] or wire_bytes - at - 40
    else:
        return None
    offset_flags = _u16(data, tcp + 12)[0]
    payload -= (offset_flags >> 12) * 4
    return Segment(time_ns, (source, _u16(data, tcp)[0]), (destination, _u16(data, tcp + 2)[0]),
                   _u32(data, tcp + 4)[0], _u32(data, tcp + 8)[0], offset_flags & 0xFF, payload)  # fmt: skip


def _network_layer(data: bytes, linktype: int) -> tuple[int, int]:
    """Where the network header begins, and its EtherType (0 when it is not IP)."""
    if linktype in _RAW:
        return 0, {4: _IP4, 6: _IP6}.get(data[0] >> 4 if data else 0, 0)
    if linktype not in _LINK_HEADER:
        raise ValueError(f"its link type {linktype} is not Ethernet, Linux cooked or raw IP; capture on one interface "
                         "of those kinds")  # fmt: skip
    at, where = _LINK_HEADER[linktype]
    ethertype: int = _u16(data, where)[0]
    while ethertype in _VLAN:
        ethertype, at = _u16(data, at + 2)[0], at + 4
    return at, ethertype
