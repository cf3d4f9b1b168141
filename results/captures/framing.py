"""Records of a capture file, chunk after chunk: where each frame lies, when and on which interface. It looks into no frame.

A file that ends within a record, or goes wrong, gives all that came before: what was wrong with it stands in
`Records.problem`. The formats are in `classic_frames.py` and `pcapng_frames.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from results.captures.blocks import SECTION_HEADER
from results.captures.classic_frames import Classic
from results.captures.errors import CaptureError, TruncatedCapture
from results.captures.formats import CLASSIC_MAGICS, truncated
from results.captures.memory import Memory
from results.captures.pcapng_frames import Blocks
from results.captures.records import LARGEST_RECORD, Frames, Records, damaged, so_far
from results.captures.source import Source

CHUNK_BYTES = 2 << 20
"""A chunk has so many, and up to `LARGEST_RECORD` more. More fit into no cache, fewer cost more calls."""
PADDING = 256
"""Zeros behind the bytes of a chunk, so that no gather of headers reaches past the buffer."""


def frames(source: Source, records: Records) -> Iterator[Frames]:
    """The frames of `source`, valid until the chunk after the next is asked for; `records` is filled on the way.

    Raises CaptureError when it is no capture at all.
    """
    buffer, other = (bytearray(CHUNK_BYTES + LARGEST_RECORD + PADDING) for _ in range(2))
    room = len(buffer) - PADDING
    memories = [Memory(), Memory()]
    left, ended = 0, False
    format_: Classic | Blocks | None = None
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
            found, after = format_.frames(buffer, at, left, memories[0])
            if found is not None and len(found.at):
                records.frames += len(found.at)
                yield found
                memories.reverse()
            if records.problem:
                return
            if after == at:
                break
            at = after
        if ended:
            if source.failure:
                records.problem = f"{source.failure} ({so_far(records)})"
                records.truncated = isinstance(source.failure, TruncatedCapture)
            elif at < left:
                records.problem, records.truncated = str(truncated(records.name, format_.count, left - at)), True
            return
        if at == 0:
            records.problem = damaged(records, "one record fills more than a whole chunk")
            return
        other[: left - at], left = buffer[at:left], left - at
        buffer, other = other, buffer


def _format(head: bytes, size: int, records: Records) -> tuple[Classic | Blocks, int]:
    magic = head[:4]
    if size < 4:
        raise CaptureError(f"could not read {records.name}: it is {'empty' if size == 0 else 'no capture'}; "
                           "was tcpdump started, and stopped with SIGINT or SIGTERM?")  # fmt: skip
    if magic in CLASSIC_MAGICS:
        if size < 24:
            raise truncated(records.name, 0, size)
        return Classic(head, records), 24
    if magic == SECTION_HEADER:
        return Blocks(records), 0
    raise CaptureError(f"could not read {records.name}: it is not a packet capture (it begins with {magic.hex(' ')}); "
                       "give a pcap or pcapng file")  # fmt: skip
