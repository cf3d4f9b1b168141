"""Headers of frames turned into columns, a layer at a time for all frames of a chunk. It follows no connection.

Each layer is one gather: the bytes of that header of every frame as a matrix, and then columns of the matrix. Layers:
Ethernet, 802.1Q and 802.1ad tags, Linux cooked v1 and v2, BSD loopback, raw IP; IPv4 (RFC 791), IPv6 (RFC 8200) with
extension headers; TCP (RFC 9293), UDP, ICMP. A frame that the snap length cut within a header keeps what is whole and says CUT.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures import compiled, tcp_options
from results.captures.columns import CUT, FRAGMENT, ICMP, ICMP6, MALFORMED, MAPPED, OPENING, TCP, UDP, Packets
from results.captures.memory import Memory
from results.captures.records import Frames, gather

Rows = NDArray[np.int64]

IP4, IP6 = 0x0800, 0x86DD
ETHERNET, SLL, SLL2 = 1, 113, 276
RAW = (101, 12, 14, 228, 229)
"""LINKTYPE_RAW, the two numbers that DLT_RAW has on some systems, LINKTYPE_IPV4 and LINKTYPE_IPV6."""
LOOPBACK = (0, 108)
_TAGS = (0x8100, 0x88A8, 0x9100)
_LINK_HEADER = {ETHERNET: (14, 12), SLL: (16, 14), SLL2: (20, 0)}
"""Link type -> length of its header, and where the EtherType stands in it."""
KNOWN = (*_LINK_HEADER, *RAW, *LOOPBACK)
_EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)
_DEEPEST = 16
"""Tags or extension headers in a row that are followed."""


def dissect(frames: Frames, linktypes: list[int], memory: Memory | None = None) -> Packets:
    """Columns of the frames of one chunk; `linktypes` by interface. They may lie in `memory`."""
    if (core := compiled.core()) is not None:
        return compiled.headers(core, frames, linktypes, memory or Memory())
    found = Packets.zeros(len(frames.at))
    found.frame = np.arange(frames.first, frames.first + len(frames.at))
    found.time_ns = frames.time_ns
    found.interface = frames.interface.astype(np.uint16)
    found.captured, found.wire = frames.captured, frames.wire
    _columns(frames, linktypes, found)
    return found


def _columns(frames: Frames, linktypes: list[int], found: Packets) -> None:
    """Fill what comes from the frames' bytes."""
    end = frames.at + frames.captured
    at, ethertype = _link(frames, linktypes, end, found)
    transport = at.copy()
    rows = np.flatnonzero(ethertype == IP4)
    if len(rows):
        _ip4(frames.data, _all_or(rows, len(at)), at, end, frames, found, transport)
    rows = np.flatnonzero(ethertype == IP6)
    if len(rows):
        _ip6(frames.data, rows, at, end, frames, found, transport)
    plain = (found.state & FRAGMENT) == 0
    for protocols, decode in (((TCP,), _tcp), ((UDP,), _udp), ((ICMP, ICMP6), _icmp)):
        rows = np.flatnonzero(np.isin(found.protocol, protocols) & plain & (found.version > 0))
        if len(rows):
            decode(frames.data, _all_or(rows, len(at)), transport, end, found)


def _all_or(rows: Rows, whole: int) -> Any:
    """A slice when all are chosen: no copies then."""
    return slice(None) if len(rows) == whole else rows


def _inside(data: bytearray, at: Any, width: int, dtype: str = "u1") -> Any:
    """A gather that begins within the buffer wherever headers claim to be; the caller judges by lengths."""
    return gather(data, np.minimum(at, len(data) - width), width, dtype)


def _whole(head: Any, whole: NDArray[np.bool_]) -> Any:
    """Headers that are not there as zeros: behind a frame that was cut stands the next."""
    if not whole.all():
        head[~whole] = 0
    return head


def _link(frames: Frames, linktypes: list[int], end: Rows, found: Packets) -> tuple[Rows, NDArray[np.int64]]:
    """Where the network header begins, and its EtherType (0 when it is no IP)."""
    at, ethertype = frames.at.copy(), np.zeros(len(frames.at), np.int64)
    kinds = np.array(linktypes, np.int64)[frames.interface]
    for kind in np.unique(kinds):
        rows = _all_or(np.flatnonzero(kinds == kind), len(at))
        if int(kind) in _LINK_HEADER:
            size, where = _LINK_HEADER[int(kind)]
            ethertype[rows] = _inside(frames.data, at[rows] + where, 2, ">u2")[:, 0]
            at[rows] += size
        elif int(kind) in RAW or int(kind) in LOOPBACK:
            at[rows] += 4 if int(kind) in LOOPBACK else 0
            version = _inside(frames.data, at[rows], 1)[:, 0] >> 4
            ethertype[rows] = np.where(version == 4, IP4, np.where(version == 6, IP6, 0))
    tagged = np.flatnonzero(np.isin(ethertype, _TAGS))
    for _ in range(_DEEPEST):
        if not len(tagged):
            break
        tag = _inside(frames.data, at[tagged], 4, ">u2")
        outer = (found.vlan[tagged] == 0) & (at[tagged] + 4 <= end[tagged])
        found.vlan[tagged[outer]] = tag[outer, 0] & 0x0FFF
        ethertype[tagged] = tag[:, 1]
        at[tagged] += 4
        tagged = tagged[np.isin(ethertype[tagged], _TAGS)]
    short = at > end
    found.state[short] |= CUT
    ethertype[short] = 0
    return at, ethertype


def _ip4(data: bytearray, rows: Any, at: Rows, end: Rows, frames: Frames, found: Packets, transport: Rows) -> None:
    begin = at[rows]
    whole = begin + 20 <= end[rows]
    head = _whole(_inside(data, begin, 20), whole)
    words = head.view(">u2")
    size = (head[:, 0] & 0x0F).astype(np.int64) * 4
    sound = whole & (size >= 20) & (head[:, 0] >> 4 == 4)
    total = words[:, 1].astype(np.int64)
    # A total length of 0 is a super-packet of TCP segmentation offload: the frame's own length counts then.
    on_wire = frames.wire[rows] - (begin - frames.at[rows])
    total = np.where((total == 0) & whole, on_wire, total)
    state = np.where(whole, np.where(sound, 0, MALFORMED), CUT).astype(np.uint8)
    state[sound & ((words[:, 3] & 0x1FFF) > 0)] |= FRAGMENT
    state[sound & (total < size)] |= MALFORMED
    found.state[rows] |= state
    found.version[rows] = np.where(sound, 4, 0)
    found.tos[rows], found.ttl[rows], found.protocol[rows] = head[:, 1], head[:, 8], np.where(sound, head[:, 9], 0)
    found.ip_id[rows], found.ip_length[rows] = words[:, 2], total
    addresses, mapped = head.view(">u4"), np.where(whole, np.uint64(MAPPED), np.uint64(0))
    found.source_low[rows] = addresses[:, 3].astype(np.uint64) | mapped
    found.destination_low[rows] = addresses[:, 4].astype(np.uint64) | mapped
    transport[rows] = begin + size
    found.payload[rows] = np.maximum(total - size, 0)


def _ip6(data: bytearray, rows: Rows, at: Rows, end: Rows, frames: Frames, found: Packets, transport: Rows) -> None:
    begin = at[rows]
    whole = begin + 40 <= end[rows]
    head = _whole(_inside(data, begin, 40), whole)
    sound = whole & (head[:, 0] >> 4 == 6)
    length = head.view(">u2")[:, 2].astype(np.int64)
    on_wire = frames.wire[rows] - (begin - frames.at[rows]) - 40
    length = np.where((length == 0) & whole, on_wire, length)  # offload, or a jumbogram
    found.state[rows] |= np.where(whole, np.where(sound, 0, MALFORMED), CUT).astype(np.uint8)
    found.version[rows] = np.where(sound, 6, 0)
    words = head.view(">u2")[:, 0]
    found.tos[rows], found.ttl[rows] = (words >> 4) & 0xFF, head[:, 7]
    found.ip_length[rows] = np.where(whole, np.maximum(length + 40, 0), 0)
    halves = head.view(">u8")
    for number, name in enumerate(("source_high", "source_low", "destination_high", "destination_low"), 1):
        getattr(found, name)[rows] = halves[:, number]
    next_header, here = head[:, 6].astype(np.int64), begin + 40
    walking = np.flatnonzero(sound & np.isin(next_header, _EXTENSIONS))
    for _ in range(_DEEPEST):
        if not len(walking):
            break
        extension = _inside(data, here[walking], 8)
        kind = next_header[walking]
        # Lengths: fragment 8 bytes (RFC 8200 section 4.5); authentication in 4-byte units less 2 (RFC 4302); others in 8.
        step = np.where(kind == 44, 8, np.where(kind == 51, (extension[:, 1].astype(np.int64) + 2) * 4,
                                                (extension[:, 1].astype(np.int64) + 1) * 8))  # fmt: skip
        cut = here[walking] + 8 > end[rows[walking]]
        found.state[rows[walking[cut]]] |= CUT
        later = (kind == 44) & ((extension.view(">u2")[:, 1] & 0xFFF8) > 0) & ~cut
        found.state[rows[walking[later]]] |= FRAGMENT
        first = (kind == 44) & ~cut
        found.ip_id[rows[walking[first]]] = extension.view(">u4")[first, 1] & 0xFFFF
        next_header[walking] = np.where(cut, 0, extension[:, 0])
        here[walking] += np.where(cut, 0, step)
        walking = walking[~cut & ~later & np.isin(next_header[walking], _EXTENSIONS)]
    found.protocol[rows] = np.where(sound, next_header, 0)
    transport[rows] = here
    found.payload[rows] = np.maximum(length - (here - begin - 40), 0)


def _tcp(data: bytearray, rows: Any, transport: Rows, end: Rows, found: Packets) -> None:
    begin = transport[rows]
    whole = begin + 20 <= end[rows]
    head = _whole(_inside(data, begin, 20), whole)
    words, longs = head.view(">u2"), head.view(">u4")
    size = (head[:, 12] >> 4).astype(np.int64) * 4
    behind = found.payload[rows].astype(np.int64)
    sound = whole & (size >= 20) & (size <= behind)
    found.state[rows] |= np.where(whole, np.where(sound, 0, MALFORMED), CUT).astype(np.uint8)
    fields = {
        "source_port": words[:, 0], "destination_port": words[:, 1], "seq": longs[:, 1], "ack": longs[:, 2],
        "flags": words[:, 6] & 0x01FF, "window": words[:, 7], "checksum": words[:, 8],
    }  # fmt: skip
    for name, values in fields.items():
        getattr(found, name)[rows] = values
    found.header_bytes[rows] = size
    found.payload[rows] = np.where(sound, behind - size, 0)
    found.payload_at[rows] = begin + np.maximum(size, 20)
    longer = np.flatnonzero(sound & (size > 20))
    if len(longer):
        number = longer if isinstance(rows, slice) else rows[longer]
        cut = begin[longer] + size[longer] > end[number]
        found.state[number[cut]] |= CUT
        tcp_options.read(data, begin[longer] + 20, np.minimum(begin[longer] + size[longer], end[number]), number, found)


def _udp(data: bytearray, rows: Any, transport: Rows, end: Rows, found: Packets) -> None:
    begin = transport[rows]
    whole = begin + 8 <= end[rows]
    words = _whole(_inside(data, begin, 8, ">u2"), whole)
    found.state[rows] |= np.where(whole, 0, CUT).astype(np.uint8)
    found.source_port[rows], found.destination_port[rows] = words[:, 0], words[:, 1]
    found.checksum[rows], found.header_bytes[rows] = words[:, 3], 8
    found.payload[rows] = np.maximum(found.payload[rows].astype(np.int64) - 8, 0)
    found.payload_at[rows] = begin + 8
    found.opening[rows] = _opening(data, begin + 8, found.payload[rows].astype(np.int64), end[rows])


def _icmp(data: bytearray, rows: Any, transport: Rows, end: Rows, found: Packets) -> None:
    begin = transport[rows]
    whole = begin + 4 <= end[rows]
    words = _whole(_inside(data, begin, 4, ">u2"), whole)
    found.state[rows] |= np.where(whole, 0, CUT).astype(np.uint8)
    found.icmp[rows], found.checksum[rows] = words[:, 0], words[:, 1]
    found.header_bytes[rows], found.payload_at[rows] = 8, begin + 8
    found.opening[rows] = _opening(data, begin + 4, found.payload[rows].astype(np.int64) - 4, end[rows])
    found.payload[rows] = np.maximum(found.payload[rows].astype(np.int64) - 8, 0)


def _opening(data: bytearray, begin: Rows, length: Rows, end: Rows) -> Any:
    """`Packets.opening` of what is `length` bytes long and begins at `begin`, in frames that end at `end`."""
    until = begin + np.minimum(length, OPENING)
    there = (length > 0) & (until <= end)
    mixed = np.zeros(len(begin), np.uint32)
    for step in range(OPENING):
        at = np.flatnonzero(there & (begin + step < until))
        mixed[at] = mixed[at] * np.uint32(0x01000193) + np.frombuffer(data, np.uint8)[begin[at] + step]
    return np.where(there, mixed | np.uint32(1), 0)
