"""The relay's event loop: TAPs, a timer and a control socket in one epoll, one thread.

It knows nothing of namespaces and makes no device; links arrive as file descriptors over the control socket.
"""

from __future__ import annotations

import json
import os
import select
import socket
from heapq import heappop, heappush
from time import monotonic_ns

from topologies.emulator.links.pipe import Pipe

from .clock import Timer
from .port import Port
from .wake import Waker

LARGEST_MESSAGE = 65536
BEAT_NS = 5_000_000


class Relay:
    """Serves the control socket until it closes.

    Messages are JSON datagrams: `{"add": {...}}` with two TAP descriptors attached, `{"stats": N}` for one link,
    `{"watch": true|false}` to begin and end a stretch,
    `{"stop": true}`. Each gets one answer, `{"ok": ...}` or `{"error": "..."}`.
    """

    def __init__(self, control: socket.socket, scheduling: str):
        self._control, self._scheduling = control, scheduling
        self._links: list[tuple[Port, Port]] = []
        self._ports: dict[int, Port] = {}
        self._due: list[tuple[int, int]] = []  # heap of (due, source fd), one entry for each port that holds frames
        self._timer = Timer()
        self._epoll = select.epoll()
        self._epoll.register(control.fileno(), select.EPOLLIN)
        self._epoll.register(self._timer.fd, select.EPOLLIN)
        self._running = True
        self._watched, self._stall_ns = False, 0

    def run(self) -> None:
        """Until told to stop or the control socket closes."""
        self._answer({"ok": {"scheduling": self._scheduling, "pid": os.getpid()}})
        control, timer_fd, timer = self._control.fileno(), self._timer.fd, self._timer
        ports, due, poll = self._ports, self._due, self._epoll.poll
        now = monotonic_ns()
        waker = Waker(now)
        while self._running:
            top = monotonic_ns()
            self._stall_ns = max(self._stall_ns, top - now)
            alarm = waker.alarm(due[0][0], top) if due else 0
            if due and not alarm:
                meant = top
                events = poll(0)
            else:
                # A stall is only seen by somebody who meant to be awake: while watched, at least every BEAT_NS.
                beat = top + BEAT_NS if self._watched else 0
                meant = min(alarm or beat, beat) if beat else alarm
                timer.arm(meant)
                events = poll()
            now = monotonic_ns()
            if meant:
                self._stall_ns = max(self._stall_ns, now - meant)
            for fd, _ in events:
                if fd == timer_fd:
                    if alarm and alarm == meant:
                        waker.woken(now - alarm)
                    timer.arm(0)
                elif fd == control:
                    self._serve()
                else:
                    self._take(ports[fd], fd)
            self._release()

    def _take(self, port: Port, fd: int) -> None:
        """One batch from one TAP; whatever became due meanwhile leaves before the next TAP is read."""
        was_empty = not port.held
        if not port.take():
            self._epoll.unregister(fd)
        if was_empty and port.held:
            heappush(self._due, (port.held[0][0], fd))
        if self._due and self._due[0][0] <= monotonic_ns():
            self._release()

    def _release(self) -> None:
        """One batch of each port that has something due: reading must not starve while much is due."""
        due, ports = self._due, self._ports
        again = []
        while due and due[0][0] <= monotonic_ns():
            fd = heappop(due)[1]
            at = ports[fd].release()
            if at:
                again.append((at, fd))
        for entry in again:
            heappush(due, entry)

    def _serve(self) -> None:
        data, fds, _, _ = socket.recv_fds(self._control, LARGEST_MESSAGE, 2)
        if not data:  # the parent is gone, and the lab with it
            self._running = False
            return
        request = json.loads(data)
        if "add" in request:
            self._add(request["add"], fds)
            self._answer({"ok": len(self._links) - 1})
        elif "stats" in request:
            self._answer({"ok": [port.report() for port in self._links[request["stats"]]]})
        elif "watch" in request:
            stall_ns, self._stall_ns, self._watched = self._stall_ns, 0, bool(request["watch"])
            links = [[port.watch(self._watched) for port in pair] for pair in self._links]
            self._answer({"ok": {"links": links, "stall_ns": stall_ns}})
        elif "stop" in request:
            self._running = False
            self._answer({"ok": True})
        else:
            self._answer({"error": f"unknown request {sorted(request)}"})

    def _add(self, link: dict[str, object], fds: list[int]) -> None:
        mtu = int(str(link["mtu"]))
        pipes = [Pipe(*link[way]) for way in ("a_to_b", "b_to_a")]  # type: ignore[misc]
        a, b = fds
        pair = Port(a, b, mtu, pipes[0]), Port(b, a, mtu, pipes[1])
        self._links.append(pair)
        for port in pair:
            self._ports[port.source] = port
            self._epoll.register(port.source, select.EPOLLIN)

    def _answer(self, message: dict[str, object]) -> None:
        self._control.send(json.dumps(message).encode())


def main(control_fd: int, parent: int) -> None:
    """The process: see `relay_backend.py` for how it is started."""
    from .clock import prepare

    control = socket.socket(fileno=control_fd)
    Relay(control, prepare(parent)).run()
