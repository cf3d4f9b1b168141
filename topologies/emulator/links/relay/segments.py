"""What a segment passed whole would be on the wire: how many frames, and their bytes. It cuts nothing.

Such a segment is read behind a `struct virtio_net_hdr` (Virtual I/O Device specification 1.2, section 5.1.6).
"""

from __future__ import annotations

import struct

HEADER_BYTES = 10
LARGEST_BYTES = 65536 + 64
"""The largest segment Linux makes by default (GSO_MAX_SIZE), and its Ethernet header."""

_GSO_NONE, _GSO_UDP_L4, _GSO_ECN = 0, 5, 0x80
_HEADER = struct.Struct("=BBHHHH")


def wire_bytes(read: bytes) -> int:
    """Bytes of all frames that the segment `read` (with its header) stands for: its headers are sent once for each.

    The headers end where the payload of TCP or UDP begins; `hdr_len` is only a hint of that.
    """
    _, gso_type, _, gso_size, csum_start, _ = _HEADER.unpack_from(read)
    size = len(read) - HEADER_BYTES
    kind = gso_type & ~_GSO_ECN
    if kind == _GSO_NONE or not gso_size:
        return size
    transport = HEADER_BYTES + csum_start
    if transport + 13 > len(read):
        return size
    headers: int = csum_start + (8 if kind == _GSO_UDP_L4 else (read[transport + 12] >> 4) * 4)
    frames: int = -(-(size - headers) // gso_size)
    return size + max(0, frames - 1) * headers
