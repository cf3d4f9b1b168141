"""Frames of a pcapng file (draft-ietf-opsawg-pcapng): sections of blocks, any number of byte orders, interfaces and resolutions
of time. It opens no file; what blocks say that are no packets is for `blocks.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from results.captures import blocks
from results.captures.blocks import SECTION_HEADER, Section
from results.captures.boundaries import Shape, walk
from results.captures.records import LARGEST_RECORD, Frames, Records, claims, damaged, gather


class Blocks:
    """pcapng: sections of blocks."""

    def __init__(self, records: Records) -> None:
        self._records, self._section = records, Section("<", 0)
        self.count = 0  # blocks of any kind, as the message about a truncated file counts them
        self._frames = 0
        records.kind = "pcapng"

    def frames(self, data: bytearray, start: int, end: int) -> tuple[Frames | None, int]:
        """Frames up to the next section or the end of the chunk, and where they end."""
        records = self._records
        if end - start < 12:
            return None, start
        if data[start : start + 4] == SECTION_HEADER:
            order = blocks.byte_order(data, start)
            if not order:
                return self._damage(start, "a section header has no byte-order magic")
            self._section = Section(order, len(records.interfaces))
        order = self._section.order
        at, after = walk(data, start, end, Shape(order, 0, 4, 12, blocks.guess(order)))
        heads = gather(data, at, 28, order + "u4")
        kinds, sizes = heads[:, 0], heads[:, 1].astype(np.int64)
        sections = np.flatnonzero(kinds == 0x0A0D0D0A)
        sections = sections[sections > 0]
        if len(sections):
            cut = int(sections[0])
            at, after, heads, kinds, sizes = at[:cut], int(at[cut]), heads[:cut], kinds[:cut], sizes[:cut]
        why = ""
        wrong = (sizes < 12) | (sizes % 4 != 0) | (sizes > LARGEST_RECORD)
        ends = gather(data, np.maximum(at + np.minimum(sizes, LARGEST_RECORD) - 4, 0), 4, order + "u4")[:, 0]
        bad = np.flatnonzero(wrong | (ends != sizes))
        if len(bad):
            first = int(bad[0])
            fault = (f"claims {sizes[first]} bytes, which no pcapng block has" if wrong[first]
                     else "ends with another length than it began with")  # fmt: skip
            why = f"the block at byte {self._place(int(at[first]), end)} {fault}"
            at, heads, kinds = at[:first], heads[:first], kinds[:first]
        elif after == start:
            size = claims(data, after, end, order, 4)
            if size < 12 or size % 4 or size > LARGEST_RECORD:
                return self._damage(start, f"the block at byte {self._place(start, end)} claims {size} bytes, "
                                    "which no pcapng block has")  # fmt: skip
        return self._judged(data, at, heads, kinds, why), after

    def _judged(self, data: bytearray, at: Any, heads: Any, kinds: Any, why: str) -> Frames:
        records, section = self._records, self._section
        packets = (kinds == 6) | (kinds == 2)
        for index in np.flatnonzero(~packets):
            size = int(heads[index, 1])
            blocks.describe(bytes(data[at[index] : at[index] + size]), section, records)
        self.count += len(at)
        at, heads = at[packets], heads[packets]
        interface = heads[:, 2].astype(np.int64)
        old = kinds[packets] == 2  # the obsolete packet block: 16 bits of interface, 16 bits of drops
        if old.any():
            interface[old] = interface[old] >> 16 if section.order == ">" else interface[old] & 0xFFFF
        interface += section.first_interface
        captured = heads[:, 5].astype(np.int64)
        bad = np.flatnonzero((interface >= len(records.interfaces)) | (captured > heads[:, 1].astype(np.int64) - 32))
        if len(bad):
            first = int(bad[0])
            why = ("a packet names an interface that was not described" if interface[first] >= len(records.interfaces)
                   else "a packet claims more bytes than its block has")  # fmt: skip
            at, heads, interface, captured = at[:first], heads[:first], interface[:first], captured[:first]
        stamps = (heads[:, 3].astype(np.uint64) << np.uint64(32)) | heads[:, 4].astype(np.uint64)
        time_ns = np.zeros(len(at), np.int64)
        for number in np.unique(interface):
            chosen = interface == number
            time_ns[chosen] = records.interfaces[number].nanoseconds(stamps[chosen])
        first_frame, self._frames = self._frames + 1, self._frames + len(at)
        for index in np.flatnonzero(heads[:, 1].astype(np.int64) - 32 - (captured + 3 & ~3) >= 8):
            block = bytes(data[at[index] : at[index] + int(heads[index, 1])])
            comment = blocks.packet_comment(block, int(captured[index]), section.order)
            if comment and len(records.packet_comments) < blocks.COMMENTS_KEPT:
                records.packet_comments[first_frame + int(index)] = comment
        if why:
            records.problem = damaged(records, why, len(at))
        return Frames(data, at + 28, captured, heads[:, 6].astype(np.int64), time_ns, interface, first_frame)

    def _place(self, at: int, end: int) -> int:
        return self._records.bytes_read - end + at

    def _damage(self, start: int, why: str) -> tuple[None, int]:
        self._records.problem = damaged(self._records, why)
        return None, start
