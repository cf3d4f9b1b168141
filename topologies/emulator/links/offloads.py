"""Switching segmentation and receive offloads off, so that one packet is one frame.

It leaves checksums as the device has them: between veths none is computed and none is wrong. All segmentation goes,
not just TCP's: QUIC sends 64 KB "packets" through UDP segmentation. See ethtool(8) and the kernel's
netdev-features.rst; features are found by name because their numbers change from kernel to kernel.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import re
import socket
import struct

SIOCETHTOOL = 0x8946
_GSTRINGS, _GSSET_INFO, _SFEATURES = 0x1B, 0x37, 0x3B
_FEATURES, _NAME_BYTES = 4, 32  # ETH_SS_FEATURES, ETH_GSTRING_LEN
_UNWANTED = re.compile(r"tx-.*segmentation|tx-gso-(list|robust|partial)|rx-gro|rx-gro-(hw|list)|rx-lro")


_masks: list[int] = []  # of the features not wanted, in blocks of 32 bits; the same for every interface of a kernel


def off(ifname: str) -> None:
    """All of them off for an interface of the calling thread's namespace. Raises OSError naming the interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        if not _masks:
            _masks.extend(masks(_names(control, ifname)))
        blocks = b"".join(struct.pack("II", mask, 0) for mask in _masks)
        _ask(control, ifname, struct.pack("II", _SFEATURES, len(_masks)) + blocks)


def masks(names: list[str]) -> list[int]:
    """The features not wanted as bits, in blocks of 32, of all that a kernel has in the order of their bits."""
    blocks = [0] * -(-len(names) // 32)
    for bit, name in enumerate(names):
        if _UNWANTED.fullmatch(name):
            blocks[bit // 32] |= 1 << (bit % 32)
    return blocks


def _names(control: socket.socket, ifname: str) -> list[str]:
    answer = _ask(control, ifname, struct.pack("IIQI", _GSSET_INFO, 0, 1 << _FEATURES, 0))
    count = struct.unpack_from("I", answer, 16)[0]
    table = _ask(control, ifname, struct.pack("III", _GSTRINGS, _FEATURES, count) + bytes(count * _NAME_BYTES))[12:]
    return [table[at : at + _NAME_BYTES].split(b"\0")[0].decode() for at in range(0, count * _NAME_BYTES, _NAME_BYTES)]


def _ask(control: socket.socket, ifname: str, request: bytes) -> bytes:
    buffer = ctypes.create_string_buffer(request, len(request))
    try:
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", ifname.encode(), ctypes.addressof(buffer)))
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, f"switching offloads of {ifname} off: {error.strerror}") from error
    return buffer.raw
