"""Records of a capture file, chunk after chunk: where each frame lies, when and on which interface. It looks into no frame.

Formats: classic pcap (draft-ietf-opsawg-pcap), of either byte order, micro- or nanoseconds; pcapng
(draft-ietf-opsawg-pcapng) with any number of sections, byte orders, interfaces and resolutions of time. A file that ends
within a record, or goes wrong, gives all that came before: what was wrong with it stands in `Records.problem`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.captures import blocks
from results.captures.blocks import SECTION_HEADER, Interface, Section
from results.captures.boundaries import Shape, walk
from results.captures.errors import CaptureError, TruncatedCapture
from results.captures.formats import CLASSIC_MAGICS, truncated
from results.captures.source import Source

CHUNK_BYTES = 8 << 20
LARGEST_RECORD = 2 << 20
"""A record that claims more is damage: tcpdump and dumpcap keep at most 256 KiB of a frame."""
PADDING = 256
"""Zeros behind the bytes of a chunk, so that no gather of headers reaches past the buffer."""


class Frames(NamedTuple):
    """Frames of one chunk. `data` is the chunk, reused by the next; `at` (int64) where each frame begins in it; `captured`
    and `wire` (int64) bytes; `time_ns` since 1970 (int64); `interface` (int64) an index of `Records.interfaces`;
    `first` the number of the first frame, counted from 1 as Wireshark does."""

    data: bytearray
    at: NDArray[np.int64]
    captured: NDArray[np.int64]
    wire: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    interface: NDArray[np.int64]
    first: int


@dataclass
class Records:
    """What a file holds beside its frames. Complete only after `frames` was read to its end.

    `problem` is empty, or why reading ended before the file was whole; `truncated` whether it merely ends too early.
    `notes` are what a person should know of a file that could be read. `comments` are those of sections; `packet_comments`
    by frame number. `untimed` packets have no time (simple packet blocks) and are left out.
    """

    name: str
    kind: str = ""
    interfaces: list[Interface] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    packet_comments: dict[int, str] = field(default_factory=dict)
    secrets: int = 0
    untimed: int = 0
    frames: int = 0
    bytes_read: int = 0
    problem: str = ""
    truncated: bool = False

    def check(self) -> None:
        """Raises TruncatedCapture or CaptureError unless the file was whole and every packet has its time."""
        if self.problem:
            raise (TruncatedCapture if self.truncated else CaptureError)(self.problem)
        if self.untimed:
            raise CaptureError(f"could not read {self.name}: it has packets without a time (simple packet blocks); "
                               "capture with tcpdump or dumpcap")  # fmt: skip


def frames(source: Source, records: Records) -> Iterator[Frames]:
    """The frames of `source`; `records` is filled on the way. Raises CaptureError when it is no capture at all."""
    buffer = bytearray(CHUNK_BYTES + LARGEST_RECORD + PADDING)
    room = len(buffer) - PADDING
    left, ended = 0, False
    format_: _Classic | _Blocks | None = None
    while not ended or left:
        before = left
        if not ended:
            left += source.fill(memoryview(buffer)[left:room])
            if source.failure and not left:
                raise source.failure
            ended = left < room
        records.bytes_read += left - before
        start = 0
        if format_ is None:
            format_, start = _format(bytes(buffer[:28]), left, records)
        buffer[left : left + PADDING] = bytes(PADDING)
        at = start
        while True:
            found, after = format_.frames(buffer, at, left)
            if found is not None and len(found.at):
                records.frames += len(found.at)
                yield found
            if records.problem:
                return
            if after == at:
                break
            at = after
        if ended:
            if source.failure:
                records.problem = f"{source.failure} ({_so_far(records)})"
                records.truncated = isinstance(source.failure, TruncatedCapture)
            elif at < left:
                records.problem, records.truncated = str(truncated(records.name, format_.count, left - at)), True
            return
        if at == 0:
            records.problem = damaged(records, "one record fills more than a whole chunk")
            return
        buffer[: left - at], left = buffer[at:left], left - at


def _format(head: bytes, size: int, records: Records) -> tuple[_Classic | _Blocks, int]:
    magic = head[:4]
    if size < 4:
        raise CaptureError(f"could not read {records.name}: it is {'empty' if size == 0 else 'no capture'}; "
                           "was tcpdump started, and stopped with SIGINT or SIGTERM?")  # fmt: skip
    if magic in CLASSIC_MAGICS:
        if size < 24:
            raise truncated(records.name, 0, size)
        return _Classic(head, records), 24
    if magic == SECTION_HEADER:
        return _Blocks(records), 0
    raise CaptureError(f"could not read {records.name}: it is not a packet capture (it begins with {magic.hex(' ')}); "
                       "give a pcap or pcapng file")  # fmt: skip


class _Classic:
    """A classic pcap: one interface, records of one kind."""

    def __init__(self, head: bytes, records: Records) -> None:
        self.order, self._unit_ns = CLASSIC_MAGICS[head[:4]]
        self._records, self.count = records, 0
        _, snap_bytes, linktype = struct.unpack_from(self.order + "III", head, 12)
        records.kind = "pcap"
        records.interfaces.append(Interface(linktype & 0xFFFF, snap_bytes, 10**9 // self._unit_ns))
        self._shape: Shape | None = None

    def frames(self, data: bytearray, start: int, end: int) -> tuple[Frames | None, int]:
        """Frames of data[start:end], and where they end."""
        if end - start < 16:
            return None, start
        if self._shape is None:
            self._shape = Shape(self.order, 16, 8, 16, _Guess(self.order, data, start, self._unit_ns))
        at, after = walk(data, start, end, self._shape)
        heads = gather(data, at, 16, self.order + "u4")
        captured = heads[:, 2].astype(np.int64)
        bad = np.flatnonzero(captured > LARGEST_RECORD)
        if len(bad) or (after == start and _claims(data, after, end, self.order, 8) > LARGEST_RECORD):
            first = int(bad[0]) if len(bad) else 0
            where = int(at[first]) if len(bad) else start
            at, heads, captured = at[:first], heads[:first], captured[:first]
            claims = _claims(data, where, end, self.order, 8)
            self._records.problem = damaged(self._records, f"the next record claims {claims} bytes of a frame", len(at))
        time_ns = heads[:, 0].astype(np.int64) * 10**9 + heads[:, 1].astype(np.int64) * self._unit_ns
        found = Frames(data, at + 16, captured, heads[:, 3].astype(np.int64), time_ns,
                       np.zeros(len(at), np.int64), self.count + 1)  # fmt: skip
        self.count += len(at)
        return found, after


class _Guess:
    """A plausible record header: the same upper half of its seconds as the first packet's, a fraction of a second and a
    length that can be, and the same of its successor."""

    def __init__(self, order: str, data: bytearray, at: int, unit_ns: int) -> None:
        self._head = struct.Struct(order + "IIII").unpack_from
        self._skip = 2 if order == "<" else 0
        self._half = bytes(data[at + self._skip : at + self._skip + 2])
        self._second = 10**9 // unit_ns

    def __call__(self, data: bytearray, start: int, end: int) -> int:
        at = start - 1
        for _ in range(64):
            at = data.find(self._half, at + 1 + self._skip, end) - self._skip
            if at < start or at + 16 > end:
                return -1
            after = self._after(data, at)
            if after and (after + 16 > end or self._after(data, after)):
                return at
        return -1

    def _after(self, data: bytearray, at: int) -> int:
        _, fraction, captured, wire = self._head(data, at)
        same = data[at + self._skip : at + self._skip + 2] == self._half
        return at + 16 + captured if same and fraction < self._second and 0 < captured <= min(wire, 262_144) else 0


class _Blocks:
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
            size = _claims(data, after, end, order, 4)
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


def gather(data: bytearray, at: NDArray[np.int64], width: int, dtype: str) -> Any:
    """`width` bytes from each of `at`, as a matrix (records, width / size of dtype). The buffer must reach that far."""
    windows: Any = np.ndarray((len(data) - width + 1,), f"V{width}", data, 0, (1,))
    return windows[at].view(dtype).reshape(len(at), width // np.dtype(dtype).itemsize)


def _claims(data: bytearray, at: int, end: int, order: str, where: int) -> int:
    return int(struct.unpack_from(order + "I", data, at + where)[0]) if at + where + 4 <= end else 12


def _so_far(records: Records, more: int = 0) -> str:
    return f"{records.frames + more} packets before that are valid"


def damaged(records: Records, why: str, more: int = 0) -> str:
    """The words for a file that cannot be read on, with how far it was read."""
    return (f"could not read {records.name}: {why}; the file is damaged: capture again ({_so_far(records, more)})")  # fmt: skip
