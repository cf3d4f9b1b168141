"""A flow of numbered UDP datagrams in one direction of a link, stamped by the sender and by the receiving kernel.

It has no pace of its own (see `play.py`). Both hosts share one clock, so that arrival minus departure is a one-way time.
"""

from __future__ import annotations

import errno
import socket
import struct
import time

from topologies.emulator.links.backend import UnsupportedError
from topologies.emulator.links.netns import socket_in
from topologies.emulator.links.probe.stamps import prepare, receive

HEADERS = 14 + 20 + 8
"""Ethernet, IPv4, UDP."""
SMALLEST = HEADERS + 8
MOST_AT_ONCE = 32
"""Frames handed over by one call; more than the kernel's own queue to a link holds would be lost before the link."""
_UDP_SEGMENT = 103
_MTU_DISCOVER, _DO = 10, 2  # IP_MTU_DISCOVER, IP_PMTUDISC_DO: never fragment
_BUFFER_BYTES = 64 << 20
_MOST_PAYLOAD = 65_507


class Flow:
    """Datagrams of one size from `source` to `target`, each a (pid, address). Times are CLOCK_REALTIME nanoseconds.

    Use it as a context, whose end raises UnsupportedError when packets that had arrived found no room in its buffer.
    """

    def __init__(self, source: tuple[int, str], target: tuple[int, str], frame_bytes: int = 1514) -> None:
        self.frame_bytes = frame_bytes
        self.sent: list[int] = []
        self.arrived: list[tuple[int, int]] = []
        self.overflowed = 0
        self._size = frame_bytes - HEADERS
        self._most = max(1, min(MOST_AT_ONCE, _MOST_PAYLOAD // self._size))
        self._room = bytearray(self._size * self._most)
        self._into = socket_in(target[0], socket.AF_INET, socket.SOCK_DGRAM)
        self._out = socket_in(source[0], socket.AF_INET, socket.SOCK_DGRAM)
        prepare(self._into, _BUFFER_BYTES)
        self._into.bind((target[1], 0))
        self._out.bind((source[1], 0))
        # Not connected: the kernel then numbers no packets, and equal datagrams are equal frames.
        self._to = self._into.getsockname()
        self._out.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _DO)
        self._segment = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("H", self._size))]

    def __enter__(self) -> Flow:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._into.close()
        self._out.close()
        if self.overflowed and kind is None:
            raise UnsupportedError(f"the suite's own receive buffer was too small for {self.overflowed} packets, which says "
                                   "nothing of the link; run it as root, who may have larger ones")  # fmt: skip

    def fileno(self) -> int:
        """Of the receiver."""
        return self._into.fileno()

    @property
    def port(self) -> int:
        """Of the receiver."""
        return int(self._to[1])

    def send(self, frames: int = 1) -> None:
        """Hand over the next frames, as many at once as the kernel takes."""
        while frames > 0:
            frames -= self._hand_over(min(frames, self._most))

    def _hand_over(self, frames: int) -> int:
        first = len(self.sent)
        for turn in range(frames):
            numbered(self._room, turn * self._size, first + turn)
        now = time.clock_gettime_ns(time.CLOCK_REALTIME)
        try:
            said = self._segment if frames > 1 else []
            self._out.sendmsg([memoryview(self._room)[: frames * self._size]], said, 0, self._to)
        except OSError as error:
            # Before Linux 6.11 segmentation needs an interface that computes checksums (EIO), before 4.18 there is none.
            if frames == 1 or error.errno not in (errno.EIO, errno.EINVAL):
                raise
            self._most = 1
            return 0
        self.sent += [now] * frames
        return frames

    def drain(self) -> None:
        """Take what has arrived."""
        while (got := receive(self._into)) is not None:
            data, at_ns, self.overflowed, _ = got
            self.arrived.append((struct.unpack_from("!I", data)[0], at_ns))

    @property
    def complete(self) -> bool:
        """Whether as many arrived as were sent."""
        return len(self.arrived) >= len(self.sent)

    def times_ms(self) -> list[tuple[int, float]]:
        """(number, one-way time) in the order of arrival."""
        return [(number, (at - self.sent[number]) / 1e6) for number, at in self.arrived]

    @property
    def lost(self) -> int:
        """How many never arrived, copies counted once."""
        return len(self.sent) - len({number for number, _ in self.arrived})


def numbered(room: bytearray, at: int, value: int) -> None:
    """Write a number and its complement: the checksum of the datagram is then the same for every number."""
    struct.pack_into("!II", room, at, value, value ^ 0xFFFFFFFF)
