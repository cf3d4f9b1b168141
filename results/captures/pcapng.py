"""A classic pcap stream turned into pcapng that says where it came from. It changes no packet and drops none.

Written blocks (draft-ietf-opsawg-pcapng): section header with the run id as comment, one interface description with its
name and nanosecond resolution, one enhanced packet block per packet, and interface statistics when counts are known.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from results.captures.errors import CaptureError
from results.captures.formats import CLASSIC_MAGICS, truncated

_CHUNK = 1 << 16
"""A write of a megabyte keeps a processor for milliseconds on a kernel that is not preemptible: links would be late."""
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_COMMENT, _IF_NAME, _IF_RESOLUTION, _APPLICATION, _RECEIVED, _DROPPED = 1, 2, 9, 4, 4, 5
_TEXT_LIMIT = 65_535


def convert(
    source: BinaryIO, sink: BinaryIO, *, comment: str, interface: str, interface_comment: str = "",
    received: int | None = None, dropped: int | None = None, name: str = "the capture",
) -> int:  # fmt: skip
    """Copy a classic pcap (`tcpdump -w - --time-stamp-precision=nano`) to pcapng; returns the number of packets.

    `received` and `dropped` are tcpdump's own counts of packets. Raises CaptureError when `source` is no pcap, and
    TruncatedCapture, after its last whole packet was written, when it ends within one.
    """
    head = source.read(24)
    if head[:4] not in CLASSIC_MAGICS:
        found = f"it begins with {head[:4].hex(' ')}" if head else "it is empty"
        raise CaptureError(f"could not convert {name}: {found}, which is no classic pcap; was tcpdump able to start?")
    if len(head) < 24:
        raise truncated(name, 0, len(head))
    order, unit_ns = CLASSIC_MAGICS[head[:4]]
    snap_bytes, linktype = struct.unpack(order + "II", head[16:24])
    sink.write(_section(comment))
    about = [(_IF_NAME, interface.encode()), (_COMMENT, interface_comment.encode()), (_IF_RESOLUTION, b"\x09")]
    sink.write(_block(1, struct.pack("<HHI", linktype & 0xFFFF, 0, snap_bytes) + _options(about)))
    count, last_ns = 0, 0
    for blocks, number, chunk_end_ns in _packets(source, order, unit_ns, name):
        sink.write(blocks)
        count, last_ns = count + number, chunk_end_ns
    if received is not None or dropped is not None:
        counts = [(code, struct.pack("<Q", value)) for code, value in ((_RECEIVED, received), (_DROPPED, dropped))
                  if value is not None]  # fmt: skip
        sink.write(_block(5, struct.pack("<III", 0, last_ns >> 32, last_ns & 0xFFFFFFFF) + _options(counts)))
    return count


def convert_file(
    source: Path, target: Path, *, comment: str, interface: str, interface_comment: str = "",
    received: int | None = None, dropped: int | None = None,
) -> int:  # fmt: skip
    """As `convert`, to a file that appears under its name only when it is whole. Also raises OSError."""
    partial = target.with_name(target.name + ".part")
    try:
        with source.open("rb") as reading, partial.open("wb") as writing:
            count = convert(reading, writing, comment=comment, interface=interface, interface_comment=interface_comment,
                            received=received, dropped=dropped, name=source.name)  # fmt: skip
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _packets(source: BinaryIO, order: str, unit_ns: int, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Blocks of a chunk of packets, joined; how many; and the time of the last, in ns."""
    record, block = struct.Struct(order + "IIII").unpack_from, struct.Struct("<IIIIIII").pack
    tail = struct.Struct("<I").pack
    left, total, last_ns = b"", 0, 0
    while chunk := source.read(_CHUNK):
        data = left + chunk
        at, end, count = 0, len(data), 0
        out: list[bytes] = []
        while at + 16 <= end:
            seconds, fraction, captured, wire = record(data, at)
            after = at + 16 + captured
            if after > end:
                break
            last_ns = seconds * 1_000_000_000 + fraction * unit_ns
            size = 32 + captured + (-captured & 3)
            out += (block(6, size, 0, last_ns >> 32, last_ns & 0xFFFFFFFF, captured, wire),
                    data[at + 16 : after], _PADDING[captured & 3], tail(size))  # fmt: skip
            at, count = after, count + 1
        left, total = data[at:], total + count
        yield b"".join(out), count, last_ns
    if left:
        raise truncated(name, total, len(left))


def _section(comment: str) -> bytes:
    fixed = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return _block(0x0A0D0D0A, fixed + _options([(_COMMENT, comment.encode()), (_APPLICATION, b"longhaul")]))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _options(options: list[tuple[int, bytes]]) -> bytes:
    """Options that have a value, padded to four bytes each, with the end mark."""
    kept = [(code, value[:_TEXT_LIMIT]) for code, value in options if value]
    packed = [struct.pack("<HH", code, len(value)) + value + _PADDING[len(value) & 3] for code, value in kept]
    return b"".join(packed) + b"\0\0\0\0"
