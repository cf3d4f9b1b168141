"""Names and numbers of capture files and TCP flags that readers and writers share. It imports nothing slow to load."""

from __future__ import annotations

from results.captures.errors import TruncatedCapture

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80
"""TCP flags (RFC 9293 section 3.1)."""

CLASSIC_MAGICS = {
    b"\xa1\xb2\xc3\xd4": (">", 1000), b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1), b"\x4d\x3c\xb2\xa1": ("<", 1),
}  # fmt: skip
"""First four bytes of a classic capture -> byte order, and nanoseconds in one unit of its time stamps."""


def truncated(name: str, whole_records: int, left_bytes: int) -> TruncatedCapture:
    """The error for a file that ends `left_bytes` into a record, after `whole_records` whole ones."""
    return TruncatedCapture(f"could not read {name}: it is truncated: {whole_records} whole records, then {left_bytes} "
                            "bytes of one that was cut; stop tcpdump with SIGINT or SIGTERM and wait for its end, "
                            "check the free space of the disk, and capture again")  # fmt: skip
