"""Captures made up: TCP transfers with delay and loss as a sender's tap would have seen them. It is no TCP to measure with.

Benchmarks and tests need a capture whose truth is known. The sender here has a fixed loss rate, slow start to a window, SACK
(RFC 2018), fast retransmission after three SACKed segments, and a time-out; the receiver acknowledges every second segment.
"""

from __future__ import annotations

import heapq
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MSS = 1448
START_NS = 1_790_000_000 * 10**9
_SYN, _PUSH_ACK, _ACK, _SYN_ACK, _FIN_ACK = 0x02, 0x18, 0x10, 0x12, 0x11


@dataclass
class Made:
    """What was written: packets, segments sent again by kind, and the connections' round-trip times in ns."""

    packets: int = 0
    fast: int = 0
    timeouts: int = 0
    rtt_ns: list[int] = field(default_factory=list)


Event = tuple[int, bool, int, int, int, int, int, int, tuple[int, ...]]
"""time_ns, from the server, seq, ack, flags, payload, stamp, echo, SACK edges (relative to 0)."""


def write(path: Path, connections: int, segments_each: int, loss: float, *, seed: int = 1, snap_bytes: int = 96,
          server_isn: int | None = None) -> Made:  # fmt: skip
    """A classic pcap with nanoseconds of `connections` downloads that run side by side, captured at the server."""
    made, dice = Made(), random.Random(seed)
    talks = []
    for number in range(connections):
        rtt_ns = dice.randrange(5_000_000, 120_000_000)
        made.rtt_ns.append(rtt_ns)
        talks.append(_talk(random.Random(seed * 100_003 + number), number, segments_each, loss, rtt_ns, server_isn, made))
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap_bytes, 1))
        out: list[bytes] = []
        for time_ns, frame, wire in heapq.merge(*talks, key=lambda one: one[0]):
            kept = frame[:snap_bytes]
            out += (struct.pack("<IIII", time_ns // 10**9, time_ns % 10**9, len(kept), wire), kept)
            made.packets += 1
            if len(out) > 20_000:
                file.write(b"".join(out))
                out.clear()
        file.write(b"".join(out))
    return made


def _talk(
    dice: random.Random, number: int, segments: int, loss: float, rtt_ns: int, isn: int | None, made: Made
) -> Iterator[tuple[int, bytes, int]]:
    isns = (dice.randrange(1 << 32), dice.randrange(1 << 32) if isn is None else isn)
    addresses = (struct.pack(">I", 0x0A010000 + number + 1), struct.pack(">I", 0x0A020001))
    ports = (30_000 + number % 30_000, 80)
    begin = 0
    for time_ns, server, seq, ack, flags, payload, stamp, echo, sacks in _events(dice, segments, loss, rtt_ns, made):
        begin = max(begin + 1000, START_NS + number * 1_000_000 + time_ns)
        options = struct.pack(">BBBBII", 1, 1, 8, 10, stamp, echo)
        if flags & _SYN:
            options = struct.pack(">BBHBBBBIIBBBB", 2, 4, 1460, 4, 2, 8, 10, stamp, echo, 1, 3, 3, 7)
        if sacks:
            edges = ((edge + isns[not server]) & 0xFFFFFFFF for edge in sacks)
            options += struct.pack(">BBBB", 1, 1, 5, 2 + 4 * len(sacks)) + struct.pack(f">{len(sacks)}I", *edges)
        window = 65_535 if flags & _SYN else 1024
        tcp = struct.pack(">HHIIHHHH", ports[server], ports[not server], (seq + isns[server]) & 0xFFFFFFFF,
                          (ack + isns[not server]) & 0xFFFFFFFF if flags & _ACK else 0,
                          (5 + len(options) // 4) << 12 | flags, window, 0, 0) + options  # fmt: skip
        total = 20 + len(tcp) + payload
        ip = struct.pack(">BBHHHBBH", 0x45, 0, total, 0, 0x4000, 64, 6, 0) + addresses[server] + addresses[not server]
        frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp
        yield begin, frame + bytes(min(payload, 64)), 14 + total


def _events(dice: random.Random, segments: int, loss: float, rtt_ns: int, made: Made) -> Iterator[Event]:
    """A handshake, a request, `segments` full segments and the end."""
    now, tick = rtt_ns, 1_000_000
    yield 0, False, 0, 0, _SYN, 0, 1, 0, ()
    yield 30_000, True, 0, 1, _SYN_ACK, 0, 1, 1, ()
    yield now + 30_000, False, 1, 1, _ACK, 0, 1 + now // tick, 1, ()
    yield now + 40_000, False, 1, 1, _PUSH_ACK, 120, 1 + now // tick, 1, ()
    now += 90_000
    yield now, True, 1, 121, _ACK, 0, 1 + now // tick, 1 + rtt_ns // tick, ()
    yield from _Sender(dice, segments, loss, rtt_ns, made).run(now + 200_000)


class _Sender:
    def __init__(self, dice: random.Random, segments: int, loss: float, rtt_ns: int, made: Made) -> None:
        self.dice, self.total, self.loss, self.rtt_ns, self.made = dice, segments, loss, rtt_ns, made
        self.got = bytearray(segments)  # at the receiver
        self.front, self.acked, self.next = 0, 0, 0
        self.window, self.sacked_top = 10, 0
        self.lost: set[int] = set()
        self.sent_again: set[int] = set()
        self.unacked_arrivals = 0
        self.delayed: tuple[int, int, tuple[int, ...], int] | None = None

    def run(self, now: int) -> Iterator[Event]:
        """Events in order of time at the server."""
        acks: list[tuple[int, int, tuple[int, ...], int]] = []  # arrival at the server, front, sacks, echo
        timer = now + 300_000_000
        while self.acked < self.total:
            if self.next < self.total and self.next - self.acked < self.window:
                yield self._send(now, self.next, acks)
                self.next += 1
                now += 12_000
                continue
            if not acks and self.delayed:
                heapq.heappush(acks, self.delayed)
                self.delayed, self.unacked_arrivals = None, 0
            if acks and acks[0][0] <= timer:
                arrival, front, sacks, echo = heapq.heappop(acks)
                now = max(now + 1000, arrival)
                edges = tuple(1 + MSS * edge for edge in sacks)
                yield now, False, 121, 1 + MSS * front, _ACK, 0, 1 + now // 1_000_000, echo, edges
                timer = now + self.rtt_ns + 300_000_000
                self.window = min(64, self.window + 1) if front > self.acked else self.window
                self.acked = max(self.acked, front)
                self.sacked_top = max(self.sacked_top, *sacks, 0) if sacks else self.sacked_top
                now += 3000
                yield from self._repair(now, acks)
                continue
            now = max(now + 1000, timer)  # silence: the time-out
            self.made.timeouts += 1
            self.sent_again.add(self.acked)
            self.window = 10
            yield self._send(now, self.acked, acks)
            timer = now + self.rtt_ns + 600_000_000
        last = 1 + MSS * self.total
        stamp = 1 + now // 1_000_000
        yield now + 10_000, True, last, 121, _FIN_ACK, 0, stamp, stamp, ()
        yield now + 10_000 + self.rtt_ns, False, 121, last + 1, _FIN_ACK, 0, stamp + self.rtt_ns // 1_000_000, stamp, ()
        yield now + 20_000 + self.rtt_ns, True, last + 1, 122, _ACK, 0, stamp + self.rtt_ns // 1_000_000, stamp, ()

    def _repair(self, now: int, acks: list[tuple[int, int, tuple[int, ...], int]]) -> Iterator[Event]:
        for segment in range(self.acked, self.sacked_top - 3):
            if segment in self.lost and segment not in self.sent_again:
                self.sent_again.add(segment)
                self.made.fast += 1
                self.window = max(10, self.window // 2)
                yield self._send(now, segment, acks)
                now += 12_000

    def _send(self, now: int, segment: int, acks: list[tuple[int, int, tuple[int, ...], int]]) -> Event:
        stamp = 1 + now // 1_000_000
        if self.dice.random() < self.loss:
            self.lost.add(segment)
        else:
            self.lost.discard(segment)
            self._arrive(now + self.rtt_ns, segment, stamp, acks)
        return now, True, 1 + MSS * segment, 121, _PUSH_ACK, MSS, stamp, 1 + self.rtt_ns // 1_000_000, ()

    def _arrive(self, answered: int, segment: int, stamp: int, acks: list[tuple[int, int, tuple[int, ...], int]]) -> None:
        self.got[segment] = 1
        filled = self.front
        while self.front < self.total and self.got[self.front]:
            self.front += 1
        self.unacked_arrivals += 1
        above = self.got.find(1, self.front)
        if above < 0 and self.front - filled == 1 and self.unacked_arrivals < 2 and self.front < self.total:
            self.delayed = (answered + 40_000_000, self.front, (), stamp)  # RFC 9293 section 3.8.6.3
            return
        self.unacked_arrivals, self.delayed = 0, None
        end = self.got.find(0, above) if above >= 0 else 0
        sacks = (above, end if end > 0 else self.total) if above >= 0 else ()
        heapq.heappush(acks, (answered + self.dice.randrange(20_000), self.front, sacks, stamp))
