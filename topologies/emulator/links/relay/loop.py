"""The engine in Python: TAPs, a timer and a control descriptor in one epoll, one thread. It is the reference, and what serves
where no compiler is; `compiled.py` is the fast one.

It knows nothing of namespaces and makes no device.
"""

from __future__ import annotations

import select
from functools import partial
from mmap import mmap
from time import monotonic_ns, sleep

from topologies.emulator.links.fates import Fates
from topologies.emulator.links.lateness import Histogram
from topologies.emulator.links.packet_log import PacketLog
from topologies.emulator.links.pipe import NEVER, Pipe, unheard
from topologies.emulator.links.shape import Shape

from .awake import Awake
from .clock import Timer
from .engine import BEAT_NS
from .port import Port
from .wake import Waker


class Loop:
    """See `Engine`."""

    name = "Python"

    def __init__(self, control_fd: int, awake: bool):
        self._control_fd = control_fd
        self._ports: list[Port] = []
        self._by_source: dict[int, Port] = {}
        self._staged: dict[int, tuple[Shape, Fates | None, bool]] = {}
        self._timer = Timer()
        self._epoll = select.epoll()
        self._epoll.register(control_fd, select.EPOLLIN)
        self._epoll.register(self._timer.fd, select.EPOLLIN)
        now = self._seen_ns = monotonic_ns()
        self._waker, self._awake = Waker(now), Awake(awake)
        self._watched, self._stall_ns = False, 0
        self._log: PacketLog | None = None

    def add(self, source: int, target: int, passed: bool, shape: Shape, fates: Fates | None) -> int:
        """See `Engine.add`."""
        port = Port(source, target, passed, shape.frame_bytes, Pipe(shape, fates, monotonic_ns()))
        self._ports.append(port)
        self._by_source[source] = port
        self._epoll.register(source, select.EPOLLIN)
        return len(self._ports) - 1

    def stage(self, port: int, shape: Shape, fates: Fates | None, keep_fates: bool) -> None:
        """See `Engine.stage`."""
        self._staged[port] = shape, fates, keep_fates

    def apply(self, port: int, at_ns: int) -> None:
        """See `Engine.apply`."""
        one = self._ports[port]
        one.pipe.change(*self._staged.pop(port), at_ns)
        one.next_ns = one.pipe.next_due()

    def run(self) -> None:
        """See `Engine.run`."""
        timer, waker, poll = self._timer, self._waker, self._epoll.poll
        while True:
            top = monotonic_ns()
            self._stall_ns = max(self._stall_ns, top - self._seen_ns)
            pause_ns = waker.owed(top)
            if pause_ns:
                sleep(pause_ns / 1e9)
                waker.slept(top, after := monotonic_ns())
                top = after
            due = min([port.next_ns for port in self._ports], default=NEVER)
            alarm = waker.alarm(due, top)
            meant = min(alarm, self._awake.idle(top), top + BEAT_NS if self._watched else NEVER) if alarm else top
            if meant > top:
                timer.arm(meant if meant < NEVER else 0)
            events = poll(0 if meant <= top else None)
            now = self._seen_ns = monotonic_ns()
            waker.slept(top, now)
            self._stall_ns = max(self._stall_ns, now - meant)
            for fd, _ in events:
                if fd == timer.fd:
                    if meant == alarm:
                        waker.woken(now - alarm)
                    timer.arm(0)
                elif fd in self._by_source:
                    self._awake.frame(now)
                    self._take(self._by_source[fd])
            self._release()
            if any(fd == self._control_fd for fd, _ in events):
                return

    def counts(self, port: int) -> dict[str, int]:
        """See `Engine.counts`."""
        return self._ports[port].counts()

    def lateness(self, port: int, anew: bool) -> Histogram:
        """See `Engine.lateness`."""
        one = self._ports[port]
        found = one.lateness
        if anew:
            one.lateness = Histogram()
        return found

    def stall_ns(self, watched: bool) -> int:
        """See `Engine.stall_ns`."""
        found, self._stall_ns, self._watched = self._stall_ns, 0, watched
        return found

    def log_begin(self, memory: mmap, snap_bytes: int) -> None:
        """See `Engine.log_begin`."""
        self._log = PacketLog(memoryview(memory), snap_bytes)
        for number, port in enumerate(self._ports):
            port.pipe.note = partial(self._log.add, number)

    def log_end(self) -> tuple[int, int]:
        """See `Engine.log_end`."""
        for port in self._ports:
            port.pipe.note = unheard
        log, self._log = self._log, None
        return (log.used, log.left_out) if log else (0, 0)

    def _take(self, port: Port) -> None:
        """One batch from one TAP; whatever became due meanwhile leaves before the next TAP is read."""
        if not port.take():
            self._epoll.unregister(port.source)
        if port.next_ns <= monotonic_ns():
            self._release()

    def _release(self) -> None:
        """One batch of each port that has something due: reading must not starve while much is due."""
        for port in self._ports:
            if port.next_ns <= monotonic_ns():
                port.release()
