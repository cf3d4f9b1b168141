"""Things done at their moments by one thread, which looks after what arrives in between. It knows no link.

A thread of its own for each sender would make them wait for each other (the interpreter's lock) when it matters most.
"""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

Event = tuple[int, Callable[[], object]]
"""A moment in nanoseconds since the beginning, and what is done then."""

_SPIN_NS = 1_000_000
"""The last stretch before a moment is spent watching the clock: a sleep ends when the machine likes, and cold."""


class Source(Protocol):
    """Something that receives."""

    def fileno(self) -> int:
        """To wait for."""

    def drain(self) -> None:
        """Take all that has arrived."""


def every(apart_ns: float, times: int, act: Callable[[], object], first_ns: float = 0) -> Iterator[Event]:
    """The same thing again and again."""
    for turn in range(times):
        yield round(first_ns + turn * apart_ns), act


def steady(apart_ns: float, times: int, act: Callable[[], object], first_ns: float = 0) -> Iterator[Event]:
    """As `every`, but what was late is not caught up with: a burst would overrun the machine rather than the link."""
    begin, at = time.monotonic_ns(), first_ns
    for _ in range(times):
        yield round(at), act
        at = max(at + apart_ns, time.monotonic_ns() - begin)  # it goes on when the act is done


def play(sources: Sequence[Source], *scripts: Iterable[Event], tail_s: float, done: Callable[[], bool] | None = None) -> int:
    """Do everything at its moment, then wait for what arrives until `done`, at most `tail_s`; returns the beginning, as
    CLOCK_MONOTONIC nanoseconds. What is late is done at once, in order."""
    with select.epoll() as poll:
        by_fd = {source.fileno(): source for source in sources}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)

        def collect(wait_s: float) -> None:
            for fd, _ in poll.poll(wait_s):
                by_fd[fd].drain()

        begin = time.monotonic_ns()
        for at, act in heapq.merge(*scripts, key=lambda event: event[0]):
            while (left := begin + at - time.monotonic_ns()) > 0:
                # epoll counts whole milliseconds, so it may only take what lies before the spin.
                collect((left - _SPIN_NS) // 1_000_000 / 1e3 if left > 2 * _SPIN_NS else 0)
            act()
        end = time.monotonic() + tail_s
        while (left_s := end - time.monotonic()) > 0 and not (done and done()):
            collect(min(left_s, 0.05))
        collect(0)
        return begin
