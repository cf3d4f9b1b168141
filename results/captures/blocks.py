"""pcapng blocks that are no packets: sections, interfaces, statistics, comments. It finds no block and reads no frame.

Source: draft-ietf-opsawg-pcapng, sections 4.1 to 4.8.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
COMMENTS_KEPT = 10_000
"""Comments of packets beyond so many are not kept: a file of any size must fit into memory."""
_INTERFACES, _STATISTICS, _SECRETS, _SIMPLE = 1, 5, 10, 3


@dataclass
class Interface:
    """Where frames were captured. `resolution` is ticks a second; `received` and `dropped` packets are None when unknown."""

    linktype: int
    snap_bytes: int
    resolution: int = 1_000_000
    offset_s: int = 0
    name: str = ""
    description: str = ""
    comment: str = ""
    received: int | None = None
    dropped: int | None = None

    def nanoseconds(self, stamps: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Since 1970, from ticks."""
        found: NDArray[np.int64]
        if 10**9 % self.resolution == 0:
            found = (stamps * np.uint64(10**9 // self.resolution)).astype(np.int64)
        elif self.resolution < 1 << 34:
            seconds, rest = np.divmod(stamps, np.uint64(self.resolution))
            found = (seconds * np.uint64(10**9) + rest * np.uint64(10**9) // np.uint64(self.resolution)).astype(np.int64)
        else:  # finer than 64 bits can multiply: one by one, exactly
            exact = [int(one) * 10**9 // self.resolution & (1 << 63) - 1 for one in stamps]
            found = np.array(exact, np.int64)
        return found + np.int64(np.clip(self.offset_s, -(2**33), 2**33)) * np.int64(10**9)


@dataclass(frozen=True)
class Section:
    """Byte order, and the index of its interface 0 among those of the file."""

    order: str
    first_interface: int


class Found(Protocol):
    """Where what blocks say is kept: `results.captures.records.Records`."""

    interfaces: list[Interface]
    comments: list[str]
    secrets: int
    untimed: int


def byte_order(data: bytearray, at: int) -> str:
    """Of the section header at `at`; empty when it has none."""
    return {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(bytes(data[at + 8 : at + 12]), "")


def guess(order: str) -> Callable[[bytearray, int, int], int]:
    """For `boundaries.Shape`: an enhanced packet block whose two lengths agree."""
    kind = struct.pack(order + "I", 6)
    number = struct.Struct(order + "I").unpack_from

    def found(data: bytearray, start: int, end: int) -> int:
        at = start - 1
        for _ in range(64):
            at = data.find(kind, at + 1, end)
            if at < 0 or at + 8 > end:
                return -1
            size = number(data, at + 4)[0]
            if 32 <= size < 1 << 20 and size % 4 == 0 and at + size <= end and number(data, at + size - 4)[0] == size:
                return at
        return -1

    return found


def describe(block: bytes, section: Section, found: Found) -> None:
    """Keep what a block that is no packet says."""
    kind = struct.unpack_from(section.order + "I", block)[0]
    if block[:4] == SECTION_HEADER:
        found.comments += [_text(value) for code, value in options(block, 24, section.order) if code == 1]
    elif kind == _INTERFACES and len(block) >= 20:
        linktype, _, snap_bytes = struct.unpack_from(section.order + "HHI", block, 8)
        found.interfaces.append(_described(Interface(linktype, snap_bytes), options(block, 16, section.order), section.order))
    elif kind == _STATISTICS and len(block) >= 24:
        number = section.first_interface + struct.unpack_from(section.order + "I", block, 8)[0]
        if number < len(found.interfaces):
            for code, value in options(block, 20, section.order):
                if code in (4, 5) and len(value) == 8:
                    counted = struct.unpack(section.order + "Q", value)[0]
                    setattr(found.interfaces[number], "received" if code == 4 else "dropped", counted)
    elif kind == _SECRETS:
        found.secrets += 1
    elif kind == _SIMPLE:
        found.untimed += 1


def packet_comment(block: bytes, captured: int, order: str) -> str:
    """Of an enhanced packet block; empty when it has none."""
    return "\n".join(_text(value) for code, value in options(block, 28 + (captured + 3 & ~3), order) if code == 1)


def options(block: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    """(code, value) up to the end mark or the block's end; what does not fit is left out."""
    end = len(block) - 4
    while at + 4 <= end:
        code, size = struct.unpack_from(order + "HH", block, at)
        if code == 0 or at + 4 + size > end:
            return
        yield code, block[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)


def _described(interface: Interface, given: Iterator[tuple[int, bytes]], order: str) -> Interface:
    setters: dict[int, Callable[[bytes], dict[str, Any]]] = {
        1: lambda value: {"comment": _text(value)},
        2: lambda value: {"name": _text(value)},
        3: lambda value: {"description": _text(value)},
        9: lambda value: {"resolution": _resolution(value[0])} if value else {},
        14: lambda value: {"offset_s": struct.unpack(order + "q", value)[0]} if len(value) == 8 else {},
    }
    for code, value in given:
        for name, to in setters[code](value).items() if code in setters else ():
            setattr(interface, name, to)
    return interface


def _resolution(code: int) -> int:
    """Ticks a second from if_tsresol (section 4.2): a power of 10, or of 2 when the upper bit is set."""
    return int(1 << min(code & 0x7F, 63)) if code & 0x80 else int(10 ** min(code, 19))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").rstrip("\0")
