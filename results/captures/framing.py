"""Whether a capture file is whole: every record is walked to the end of the file. It does not look inside packets.

scapy's raw readers end silently where a file was cut, so a capture of a killed tcpdump would read as a short but
healthy one. Formats: classic pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng).
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from results.captures.errors import CaptureError, TruncatedCapture

CLASSIC_MAGICS = {
    b"\xa1\xb2\xc3\xd4": (">", 1000), b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1), b"\x4d\x3c\xb2\xa1": ("<", 1),
}  # fmt: skip
"""First four bytes of a classic capture -> byte order, and nanoseconds in one unit of its time stamps."""

SECTION_HEADER = b"\x0a\x0d\x0d\x0a"


def check_whole(path: Path) -> str:
    """`pcap` or `pcapng` for a file whose last record is complete. Raises CaptureError, TruncatedCapture."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < 4:
                raise CaptureError(f"could not read {path.name}: it is {'empty' if size == 0 else 'no capture'}; "
                                   "was tcpdump started, and stopped with SIGINT or SIGTERM?")  # fmt: skip
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                magic = data[:4]
                if magic in CLASSIC_MAGICS:
                    _walk_classic(path.name, data, CLASSIC_MAGICS[magic][0])
                    return "pcap"
                if magic == SECTION_HEADER:
                    _walk_blocks(path.name, data)
                    return "pcapng"
    except OSError as error:
        raise CaptureError(f"could not read {path}: {error.strerror}; check the path and its permissions") from error
    raise CaptureError(f"could not read {path.name}: it is not a packet capture (it begins with {magic.hex(' ')}); "
                       "give a pcap or pcapng file")  # fmt: skip


def _walk_classic(name: str, data: mmap.mmap, order: str) -> None:
    if len(data) < 24:
        raise truncated(name, 0, len(data))
    length = struct.Struct(order + "I").unpack_from
    at, end, count = 24, len(data), 0
    while at < end:
        after = at + 16 + length(data, at + 8)[0] if at + 16 <= end else end + 1
        if after > end:
            raise truncated(name, count, end - at)
        at, count = after, count + 1


def _walk_blocks(name: str, data: mmap.mmap) -> None:
    at, end, count = 0, len(data), 0
    length = struct.Struct("<I").unpack_from
    while at < end:
        if at + 12 > end:
            raise truncated(name, count, end - at)
        if data[at : at + 4] == SECTION_HEADER:
            length = struct.Struct("<I" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">I").unpack_from
        size = length(data, at + 4)[0]
        if size < 12 or size % 4:
            raise CaptureError(f"could not read {name}: the block at byte {at} claims {size} bytes, which no pcapng "
                               "block has; the file is damaged: capture again")  # fmt: skip
        if at + size > end:
            raise truncated(name, count, end - at)
        if length(data, at + size - 4)[0] != size:
            raise CaptureError(f"could not read {name}: the block at byte {at} ends with another length than it began "
                               "with; the file is damaged: capture again")  # fmt: skip
        at, count = at + size, count + 1


def truncated(name: str, whole_records: int, left_bytes: int) -> TruncatedCapture:
    """The error for a file that ends `left_bytes` into a record, after `whole_records` whole ones."""
    return TruncatedCapture(f"could not read {name}: it is truncated: {whole_records} whole records, then {left_bytes} "
                            "bytes of one that was cut; stop tcpdump with SIGINT or SIGTERM and wait for its end, "
                            "check the free space of the disk, and capture again")  # fmt: skip
