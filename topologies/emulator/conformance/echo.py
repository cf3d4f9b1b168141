"""Echoes over a link: ICMP from host a, answered by the kernel of host b, stamped by the kernel of host a.

It has no pace of its own (see `play.py`) and does not judge.
"""

from __future__ import annotations

import os
import socket
import struct
import time

from topologies.emulator.links.netns import socket_in
from topologies.emulator.links.probe.stamps import prepare, receive

FRAME = 14 + 20 + 8 + 8
"""Bytes of an echo's frame: Ethernet, IPv4, ICMP, eight bytes of data."""
_ECHO, _REPLY, _SOL_RAW, _ICMP_FILTER = 8, 0, 255, 1


class Echo:
    """Echoes from `source` to the address `target`; `source` is (pid, address). Use it as a context."""

    def __init__(self, source: tuple[int, str], target: str) -> None:
        self._sock = socket_in(source[0], socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("I", 0xFFFFFFFF & ~(1 << _REPLY)))
        self._sock.bind((source[1], 0))
        self._sock.connect((target, 0))
        prepare(self._sock, 4 << 20)
        self._identity = os.getpid() & 0xFFFF
        self._sent: list[int] = []
        self._back: dict[int, int] = {}

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def fileno(self) -> int:
        """To wait for."""
        return self._sock.fileno()

    def send(self) -> None:
        """One echo request (RFC 792)."""
        turn = len(self._sent)
        words = (_ECHO << 8) + self._identity + turn
        words = (words & 0xFFFF) + (words >> 16)
        packet = struct.pack("!BBHHH", _ECHO, 0, 0xFFFF & ~words, self._identity, turn) + bytes(8)
        self._sent.append(time.clock_gettime_ns(time.CLOCK_REALTIME))
        self._sock.send(packet)

    def drain(self) -> None:
        """Take the answers that have come."""
        while (got := receive(self._sock)) is not None:
            data, at_ns, _, _ = got
            kind, _, _, identity, turn = struct.unpack_from("!BBHHH", data, (data[0] & 15) * 4)
            if kind == _REPLY and identity == self._identity:
                self._back.setdefault(turn, at_ns)

    @property
    def complete(self) -> bool:
        """Whether every echo came back."""
        return len(self._back) == len(self._sent)

    @property
    def lost(self) -> int:
        """How many did not come back."""
        return len(self._sent) - len(self._back)

    def times_ms(self, after_ns: int = 0) -> list[float]:
        """Round trips of the echoes sent at least so long after the first, in the order sent."""
        first = self._sent[0] + after_ns
        return [(self._back[turn] - at) / 1e6 for turn, at in enumerate(self._sent) if turn in self._back and at >= first]
