"""Frames of a pcapng file (draft-ietf-opsawg-pcapng): sections of blocks, any number of byte orders, interfaces and resolutions
of time. It opens no file; what blocks say that are no packets is for `blocks.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from results.captures import blocks
from results.captures.blocks import SECTION_HEADER, Section
from results.captures.boundaries import Shape, walk
from results.captures.memory import Memory
from results.captures.records import LARGEST_RECORD, Frames, Records, claims, damaged


class Blocks:
    """pcapng: sections of blocks."""

    def __init__(self, records: Records) -> None:
        self._records, self._section = records, Section("<", 0)
        self.count = 0  # blocks of any kind, as the message about a truncated file counts them
        self._frames = 0
        records.kind = "pcapng"

    def frames(self, data: bytearray, start: int, end: int, memory: Memory) -> tuple[Frames | None, int]:
        """Frames up to the next section or the end of the chunk, and where they end; what they hold lies in `memory`, too."""
        records = self._records
        if end - start < 12:
            return None, start
        if data[start : start + 4] == SECTION_HEADER:
            order = blocks.byte_order(data, start)
            if not order:
                return self._damage(start, "a section header has no byte-order magic")
            self._section = Section(order, len(records.interfaces))
        order = self._section.order
        at, after, words = walk(data, start, end, Shape(order, 0, 4, 12, 7, True, blocks.guess(order)), memory)
        sections = np.flatnonzero(words[0] == 0x0A0D0D0A)
        sections = sections[sections > 0]
        if len(sections):
            cut = int(sections[0])
            at, after, words = at[:cut], int(at[cut]), [word[:cut] for word in words]
        sizes, why = words[1], ""
        wrong = (sizes < 12) | (sizes & 3 != 0) | (sizes > LARGEST_RECORD)
        bad = np.flatnonzero(wrong | (words[7] != sizes))
        if len(bad):
            first = int(bad[0])
            fault = (f"claims {sizes[first]} bytes, which no pcapng block has" if wrong[first]
                     else "ends with another length than it began with")  # fmt: skip
            why = f"the block at byte {self._place(int(at[first]), end)} {fault}"
            at, words = at[:first], [word[:first] for word in words]
        elif after == start:
            size = claims(data, after, end, order, 4)
            if size < 12 or size % 4 or size > LARGEST_RECORD:
                return self._damage(start, f"the block at byte {self._place(start, end)} claims {size} bytes, "
                                    "which no pcapng block has")  # fmt: skip
        return self._judged(data, at, words, why), after

    def _judged(self, data: bytearray, at: Any, words: Sequence[Any], why: str) -> Frames:
        records, section = self._records, self._section
        kinds, sizes = words[:2]
        packets = (kinds == 6) | (kinds == 2)
        for index in np.flatnonzero(~packets):
            blocks.describe(bytes(data[at[index] : at[index] + int(sizes[index])]), section, records)
        self.count += len(at)
        if not packets.all():
            at, words = at[packets], [word[packets] for word in words]
        kinds, sizes, numbers, high, low, captured, wire, _ = words
        interface = numbers.astype(np.int64)
        old = kinds == 2  # the obsolete packet block: 16 bits of interface, 16 bits of drops
        if old.any():
            interface[old] = interface[old] >> 16 if section.order == ">" else interface[old] & 0xFFFF
        interface += section.first_interface
        bad = np.flatnonzero((interface >= len(records.interfaces)) | (captured + np.int64(32) > sizes))
        if len(bad):
            first = int(bad[0])
            why = ("a packet names an interface that was not described" if interface[first] >= len(records.interfaces)
                   else "a packet claims more bytes than its block has")  # fmt: skip
            at, interface, sizes, high, low, captured, wire = (
                part[:first] for part in (at, interface, sizes, high, low, captured, wire))  # fmt: skip
        stamps = high.astype(np.uint64) << np.uint64(32) | low
        time_ns = np.zeros(len(at), np.int64)
        for number in np.flatnonzero(np.bincount(interface)):
            chosen = interface == number
            time_ns[chosen] = records.interfaces[number].nanoseconds(stamps[chosen])
        first_frame, self._frames = self._frames + 1, self._frames + len(at)
        for index in np.flatnonzero(sizes - np.int64(32) - (captured + 3 & ~np.uint32(3)) >= 8):
            block = bytes(data[at[index] : at[index] + int(sizes[index])])
            comment = blocks.packet_comment(block, int(captured[index]), section.order)
            if comment and len(records.packet_comments) < blocks.COMMENTS_KEPT:
                records.packet_comments[first_frame + int(index)] = comment
        if why:
            records.problem = damaged(records, why, len(at))
        return Frames(data, at + 28, captured, wire, time_ns, interface.astype(np.uint32), first_frame)

    def _place(self, at: int, end: int) -> int:
        return self._records.bytes_read - end + at

    def _damage(self, start: int, why: str) -> tuple[None, int]:
        self._records.problem = damaged(self._records, why)
        return None, start
