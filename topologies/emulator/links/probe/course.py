"""Numbered frames from one socket to another, and when each arrived: trains and fills are both sent by this.

It decides neither pace (`pacer.py`, `filler.py`) nor what the arrivals mean.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Protocol

from .many import Reader
from .sender import Sender

BLUR_NS, READ_NS, ASK_NS = 400_000, 1_000_000, 200_000


class Pace(Protocol):
    """When frames leave: `size` of them at `at_ns` (CLOCK_MONOTONIC); `count` have left."""

    at_ns: int

    @property
    def count(self) -> int:
        """Frames that have left."""

    @property
    def size(self) -> int:
        """Frames that leave next."""

    @property
    def done(self) -> bool:
        """Whether all have left."""

    def sent(self, now_ns: int) -> None:
        """`size` frames have left."""


class Gate(Protocol):
    """Lets in courses that have just begun, one at a time."""

    @property
    def over(self) -> bool:
        """Whether no more will come."""

    def next(self, now_ns: int) -> Course | None:
        """One that begins now, if one may."""


class Course:
    """One direction between two sockets. `arrived` has the time of day (ns) of the first copy of each frame by its number,
    `copies` the numbers of the second ones; frames of an earlier turn do not count. `blurred` are the frames whose call took so
    long that it is not known when they left."""

    def __init__(self, out: socket.socket, into: socket.socket) -> None:
        self._out, self.into, self._reader = out, into, Reader(into)
        self.arrived: dict[int, int] = {}
        self.copies: list[int] = []
        self.blurred: set[int] = set()
        self.pace: Pace
        self._turn, self._ended_s, self._wait_s, self._certain = 0, 0.0, 0.0, False

    def begin(self, pace: Pace, frame_bytes: int, batch: int, wait_s: float, *, certain: bool) -> None:
        """Make ready for frames of that size, `batch` at once. After the last has left, arrivals are waited for as long as
        `wait_s`; if that one is `certain` to arrive behind all others, only until it has."""
        self._turn += 1
        self.arrived, self.copies, self.blurred, self.pace = {}, [], set(), pace
        self._sender, self._wait_s, self._certain = Sender(self._out, frame_bytes, batch), wait_s, certain
        self._ended_s = time.monotonic()

    @property
    def overflowed(self) -> int:
        """Frames that found the receive buffer full, since the beginning."""
        return self._reader.overflowed

    def send(self, now_ns: int) -> None:
        """What is due."""
        first, size = self.pace.count, self.pace.size
        self._sender.send(self._turn, first, size)
        if time.monotonic_ns() - now_ns > BLUR_NS:
            self.blurred.update(range(first, first + size))
        self.pace.sent(now_ns)
        self._ended_s = now_ns / 1e9

    def take(self) -> None:
        """Read some of what has arrived."""
        turn, arrived = self._turn, self.arrived
        for of, number, at_ns in self._reader.read():
            if of == turn:
                if number in arrived:
                    self.copies.append(number)
                else:
                    arrived[number] = at_ns

    @property
    def deadline_s(self) -> float:
        """Until when something may arrive; 0 when nothing can any more."""
        over = self._certain and self.pace.done and self.pace.count - 1 in self.arrived
        return 0.0 if over else self._ended_s + self._wait_s


class Courses:
    """All of a verification, read by one poll."""

    def __init__(self, poll: select.epoll, courses: Sequence[Course]) -> None:
        self._poll = poll
        self._by_fd = {course.into.fileno(): course for course in courses}
        for fd in self._by_fd:
            poll.register(fd, select.EPOLLIN)

    def send(self, courses: Sequence[Course], gate: Gate | None = None) -> None:
        """All of them at the same time, each batch at its moment; what arrives is read while nothing is due.

        Those that the gate lets in join them; it is asked until it is over.
        """
        heap: list[tuple[int, int, Course | None]] = [(course.pace.at_ns, n, course) for n, course in enumerate(courses)]
        if gate is not None:
            heap.append((time.monotonic_ns(), len(heap), None))
        heapify(heap)
        begun = len(heap)
        while heap:
            at, number, course = heappop(heap)
            while (left := at - (now := time.monotonic_ns())) > 0:
                if left > READ_NS:
                    self.read(left / 1e9 - 0.0008)
            if course is not None:
                course.send(now)
                if not course.pace.done:
                    heappush(heap, (course.pace.at_ns, number, course))
            elif gate is not None:
                if (admitted := gate.next(now)) is not None:
                    begun += 1
                    heappush(heap, (admitted.pace.at_ns, begun, admitted))
                if not gate.over:
                    heappush(heap, (now + ASK_NS, number, None))

    def read(self, wait_s: float) -> bool:
        """Some of what has arrived, or arrives within that time; whether there was anything."""
        # epoll counts whole milliseconds and rounds up: less than two are not slept away.
        ready = self._poll.poll(wait_s - 0.001 if wait_s > 0.002 else 0)
        for fd, _ in ready:
            self._by_fd[fd].take()
        return bool(ready)

    def wait(self, courses: Sequence[Course]) -> None:
        """Until everything has arrived, or could not any more: a link may be slower than it was asked to be. What has arrived
        is read to its end, however long that takes."""
        while (left := max((course.deadline_s for course in courses), default=0.0) - time.monotonic()) > 0:
            self.read(min(left, 0.05))
        while self.read(0):
            pass
