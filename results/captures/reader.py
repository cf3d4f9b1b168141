"""Captures read: columns of packets, chunk after chunk or whole. It analyses nothing.

`chunks` needs the same memory for a file of any size; `read` keeps every packet. A damaged or cut file gives what came
before the damage: `Capture.records.problem` says so, and `check()` raises it for those who need the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from results.captures import layers
from results.captures.columns import CUT, Packets
from results.captures.errors import CaptureError
from results.captures.framing import frames
from results.captures.memory import Memory
from results.captures.records import Frames, Records
from results.captures.source import opened


@dataclass
class Chunk:
    """Packets and the bytes they came from. Both are valid until the chunk after the next is asked for, and may change then."""

    packets: Packets
    frames: Frames

    def payload(self, row: int) -> bytes:
        """What was captured of the payload of a row."""
        end = int(self.frames.at[row] + self.frames.captured[row])
        begin = int(self.packets.payload_at[row])
        return bytes(self.frames.data[begin : min(end, begin + int(self.packets.payload[row]))]) if begin else b""


class Capture:
    """One capture file, read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = Records("standard input" if str(path) == "-" else path.name)
        self.cut = 0
        self.twice = 0
        """Packets that stood in it at more than one interface, as far as somebody looked."""
        self.backwards, self.first_backwards = 0, 0
        self._last_ns = -(1 << 63)
        self.strange: set[int] = set()

    def chunks(self) -> Iterator[Chunk]:
        """Chunks of some thousand packets. Raises CaptureError when the file is no capture or cannot be opened."""
        memories = cycle((Memory(), Memory()))
        with opened(self.path) as source:
            for found in frames(source, self.records):
                linktypes = [one.linktype for one in self.records.interfaces]
                self.strange |= {kind for kind in linktypes if kind not in layers.KNOWN}
                packets = layers.dissect(found, linktypes, next(memories))
                self.cut += int(((packets.state & CUT) > 0).sum())
                self._time(packets)
                yield Chunk(packets, found)

    def _time(self, packets: Packets) -> None:
        times = packets.time_ns
        back = np.flatnonzero(np.append(times[:1] < self._last_ns, times[1:] < times[:-1]))
        if len(back):
            self.first_backwards = self.first_backwards or int(packets.frame[back[0]])
            self.backwards += len(back)
        if len(times):
            self._last_ns = int(times[-1])

    def check(self) -> None:
        """Raises CaptureError unless every packet of the file was there and could be read down to its transport header."""
        self.records.check()
        if self.strange:
            raise CaptureError(f"could not read {self.records.name}: its link type {min(self.strange)} is not Ethernet, Linux "
                               "cooked or raw IP; capture on one interface of those kinds")  # fmt: skip
        if self.cut:
            raise CaptureError(f"could not read {self.records.name}: {self.cut} packets were cut within their headers; "
                               "capture with a snap length of at least 128 bytes")  # fmt: skip

    def notes(self) -> list[str]:
        """What a person should know of a capture that was read, in words."""
        records = self.records
        found = [records.problem] if records.problem else []
        if records.untimed:
            found.append(f"{records.untimed} packets without a time (simple packet blocks) were left out")
        if self.strange:
            found.append("frames of link type " + ", ".join(map(str, sorted(self.strange))) + " were counted and not read")
        if self.cut:
            found.append(f"{self.cut} packets were cut within their headers; a snap length of at least 128 bytes holds them")
        if self.backwards:
            found.append(f"time goes backwards {self.backwards} times, first at frame {self.first_backwards}; "
                         "intervals across such a place are not to be trusted")  # fmt: skip
        if self.twice:
            found.append(f"{self.twice} packets stand in it at more than one interface: connections are followed at each for "
                         "itself where they are many; --match compares the interfaces")  # fmt: skip
        dropped = sum(one.dropped or 0 for one in records.interfaces)
        if dropped:
            found.append(f"{dropped} packets were dropped while capturing: they are missing here, not lost on the way")
        return found


def read(path: Path) -> tuple[Packets, Capture]:
    """Every packet of a file, and the file. Raises CaptureError when it is no capture; see `Capture.check`."""
    capture = Capture(path)
    packets = Packets.joined(chunk.packets.copy() for chunk in capture.chunks())
    return packets, capture
