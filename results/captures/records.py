"""What is known of a capture file beside its frames, and frames of a chunk of it. It reads nothing; every format fills it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.captures.blocks import Interface
from results.captures.errors import CaptureError, TruncatedCapture

LARGEST_RECORD = 2 << 20
"""A record that claims more is damage: tcpdump and dumpcap keep at most 256 KiB of a frame."""


class Frames(NamedTuple):
    """Frames of one chunk. `data` is the chunk, reused by the next but one; `at` (int64) where each frame begins in it;
    `captured` and `wire` (uint32) bytes; `time_ns` since 1970 (int64); `interface` (uint32) an index of `Records.interfaces`;
    `first` the number of the first frame, counted from 1 as Wireshark does."""

    data: bytearray
    at: NDArray[np.int64]
    captured: NDArray[np.uint32]
    wire: NDArray[np.uint32]
    time_ns: NDArray[np.int64]
    interface: NDArray[np.uint32]
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


def gather(data: bytearray, at: NDArray[np.int64], width: int, dtype: str) -> Any:
    """`width` bytes from each of `at`, as a matrix (records, width / size of dtype). The buffer must reach that far."""
    windows: Any = np.ndarray((len(data) - width + 1,), f"V{width}", data, 0, (1,))
    return windows[at].view(dtype).reshape(len(at), width // np.dtype(dtype).itemsize)


def claims(data: bytearray, at: int, end: int, order: str, where: int) -> int:
    """The size that a record at `at` claims, `where` bytes behind its begin; 12 where that is not there yet."""
    return int(struct.unpack_from(order + "I", data, at + where)[0]) if at + where + 4 <= end else 12


def so_far(records: Records, more: int = 0) -> str:
    """How much was read before something went wrong, in words."""
    return f"{records.frames + more} packets before that are valid"


def damaged(records: Records, why: str, more: int = 0) -> str:
    """The words for a file that cannot be read on, with how far it was read."""
    return (f"could not read {records.name}: {why}; the file is damaged: capture again ({so_far(records, more)})")  # fmt: skip
