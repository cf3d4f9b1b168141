"""pcapng files written: a classic pcap stream turned into one that says where it came from, or packet by packet. It reads none.

Written blocks (draft-ietf-opsawg-pcapng): section header with the run id as comment, decryption secrets where there are keys,
an interface description with its name and nanosecond resolution, one enhanced packet block per packet, and interface
statistics when counts are known. No packet is changed and none is left out.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from results.captures.errors import CaptureError
from results.captures.formats import CLASSIC_MAGICS, truncated

ETHERNET = 1
_CHUNK = 1 << 16
"""A write of a megabyte keeps a processor for milliseconds on a kernel that is not preemptible: links would be late."""
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_COMMENT, _IF_NAME, _IF_DESCRIPTION, _IF_RESOLUTION, _APPLICATION, _RECEIVED, _DROPPED = 1, 2, 3, 9, 4, 4, 5
_TLS_KEYS = 0x544C534B
"""Secrets type of a key log as NSS, OpenSSL and libcurl write it (section 4.7)."""
_TEXT_LIMIT = 65_535


@dataclass(frozen=True)
class Described:
    """What a file says of an interface: its name, a description and a comment for people."""

    name: str
    description: str = ""
    comment: str = ""


class Writer:
    """One section, little-endian. `comment` is of the whole section; `keys` is a TLS key log, or nothing."""

    def __init__(self, sink: BinaryIO, comment: str, keys: bytes = b"") -> None:
        self._write, self._interfaces = sink.write, 0
        fixed = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._write(_block(0x0A0D0D0A, fixed + _options([(_COMMENT, comment.encode()), (_APPLICATION, b"longhaul")])))
        if keys:
            self._write(_block(10, struct.pack("<II", _TLS_KEYS, len(keys)) + keys + _PADDING[len(keys) & 3]))

    def interface(self, about: Described, linktype: int = ETHERNET, snap_bytes: int = 0) -> int:
        """One more interface; its number."""
        given = [(_IF_NAME, about.name.encode()), (_IF_DESCRIPTION, about.description.encode()),
                 (_COMMENT, about.comment.encode()), (_IF_RESOLUTION, b"\x09")]  # fmt: skip
        self._write(_block(1, struct.pack("<HHI", linktype, 0, snap_bytes) + _options(given)))
        self._interfaces += 1
        return self._interfaces - 1

    def packet(self, interface: int, time_ns: int, captured: bytes, wire_bytes: int, comment: str = "") -> None:
        """One packet, of which `captured` was kept."""
        head = struct.pack("<IIIII", interface, time_ns >> 32, time_ns & 0xFFFFFFFF, len(captured), wire_bytes)
        more = _options([(_COMMENT, comment.encode())]) if comment else b""
        self._write(_block(6, head + captured + _PADDING[len(captured) & 3] + more))

    def raw(self, blocks: bytes) -> None:
        """Blocks that are made already."""
        self._write(blocks)

    def statistics(self, interface: int, time_ns: int, received: int | None, dropped: int | None) -> None:
        """How many packets came, and how many of them were dropped, as far as known."""
        counts = [(code, struct.pack("<Q", value)) for code, value in ((_RECEIVED, received), (_DROPPED, dropped))
                  if value is not None]  # fmt: skip
        if counts:
            self._write(_block(5, struct.pack("<III", interface, time_ns >> 32, time_ns & 0xFFFFFFFF) + _options(counts)))


def convert(
    source: BinaryIO, sink: BinaryIO, *, comment: str, interface: Described, keys: bytes = b"",
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
    writer = Writer(sink, comment, keys)
    number = writer.interface(interface, linktype & 0xFFFF, snap_bytes)
    count, last_ns = 0, 0
    for blocks, packets, chunk_end_ns in _packets(source, order, unit_ns, name):
        writer.raw(blocks)
        count, last_ns = count + packets, chunk_end_ns
    writer.statistics(number, last_ns, received, dropped)
    return count


def convert_file(
    source: Path, target: Path, *, comment: str, interface: Described, keys: bytes = b"",
    received: int | None = None, dropped: int | None = None,
) -> int:  # fmt: skip
    """As `convert`, to a file that appears under its name only when it is whole. Also raises OSError."""
    with source.open("rb") as reading, whole(target) as writing:
        return convert(reading, writing, comment=comment, interface=interface, keys=keys, received=received, dropped=dropped,
                       name=source.name)  # fmt: skip


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears under its name only when the body has ended well. Also raises OSError."""
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as writing:
            yield writing
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


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


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _options(options: list[tuple[int, bytes]]) -> bytes:
    """Options that have a value, padded to four bytes each, with the end mark."""
    kept = [(code, value[:_TEXT_LIMIT]) for code, value in options if value]
    packed = [struct.pack("<HH", code, len(value)) + value + _PADDING[len(value) & 3] for code, value in kept]
    return b"".join(packed) + b"\0\0\0\0"
