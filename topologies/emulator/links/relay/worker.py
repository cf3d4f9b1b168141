"""A worker process of the relay: it does what the lab asks over a control socket, and between that its engine moves frames.

It moves none itself. Which ports it has is the lab's choice, see `relay_backend.py`; workers share nothing.
"""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Sequence
from typing import Any

from topologies.emulator.links.fates import Fates
from topologies.emulator.links.lateness import Histogram
from topologies.emulator.links.shape import Shape

from . import message
from .engine import Engine
from .message import Add, Apply, LogBegin, LogEnd, Refused, Report, Stage, Watch, Way


class Worker:
    """Serves until the control socket closes: then the lab is gone."""

    def __init__(self, control: socket.socket, engine: Engine, hello: dict[str, Any]):
        self._control, self._engine, self._hello = control, engine, hello
        self._kept: list[Histogram] = []
        self._times: list[Sequence[int]] = []  # the trace of each port
        self._watched = self._counting = False

    def run(self) -> None:
        """Until the other side closes."""
        message.send(self._control, self._hello)
        while True:
            self._engine.run()
            asked, fds = message.receive(self._control)
            if asked is None:
                return
            message.send(self._control, self._answer(asked, fds))

    def _answer(self, asked: object, fds: list[int]) -> object:
        match asked:
            case Add(way, passed):
                source, target, *trace = fds
                self._kept.append(Histogram())
                self._times.append(())
                shape = self._whole(len(self._times) - 1, way.shape, trace)
                return self._engine.add(source, target, passed, shape, _fates(way))
            case Stage(port, way, keep_fates):
                self._engine.stage(port, self._whole(port, way.shape, fds), None if keep_fates else _fates(way), keep_fates)
            case Apply(ports, at_ns):
                for port in ports:
                    self._engine.apply(port, at_ns)
            case Report(port):
                late = self._lateness(port)
                most_ns = late.max_ns if late.count else None
                return self._engine.counts(port), (late.percentile_ns(50), late.percentile_ns(99), most_ns), late.rows()
            case Watch(on):
                return self._watch(on)
            case LogBegin() | LogEnd():
                return self._log(asked, fds)
            case _:
                return Refused(f"unknown request {asked!r}")
        return True  # None is what a closed socket says

    def _log(self, asked: LogBegin | LogEnd, fds: list[int]) -> object:
        if isinstance(asked, LogEnd):
            return self._engine.log_end()
        self._engine.log_begin(mmap.mmap(fds[0], 0), asked.snap_bytes)
        os.close(fds[0])
        return True  # None is what a closed socket says

    def _whole(self, port: int, shape: Shape, trace: list[int]) -> Shape:
        """The shape with its trace: the one attached, or the one that the port has."""
        for fd in trace:
            self._times[port] = message.trace_times(fd)
            os.close(fd)
        return shape._replace(times_ms=self._times[port]) if message.has_trace(shape) else shape

    def _lateness(self, port: int) -> Histogram:
        """Of the whole time since the first call of `watch`, between stretches too; before it, since the beginning."""
        late = Histogram()
        late.merge(self._kept[port])
        late.merge(self._engine.lateness(port, anew=False))
        return late

    def _watch(self, on: bool) -> tuple[dict[int, tuple[int, int]], int]:
        found = {}
        for port, kept in enumerate(self._kept):
            ended = self._engine.lateness(port, anew=True)
            p99_ns = ended.percentile_ns(99)
            if self._counting:
                kept.merge(ended)
            if self._watched and p99_ns is not None:
                found[port] = p99_ns, ended.max_ns
        self._watched, self._counting = on, True
        return found, self._engine.stall_ns(on)


def _fates(way: Way) -> Fates | None:
    return Fates(way.effects, way.seed) if way.effects else None


def main(control_fd: int, parent: int, library: str) -> None:
    """The process: see `relay_backend.py` for how it is started. `library` is the compiled core, or empty."""
    from .awake import ability
    from .clock import prepare

    control = socket.socket(fileno=control_fd)
    scheduling, why_not = prepare(parent), ability()
    engine: Engine
    if library:
        from .compiled import Core

        engine = Core(control_fd, library, awake=not why_not)
    else:
        from .loop import Loop

        engine = Loop(control_fd, awake=not why_not)
    processors = f"may sleep: {why_not}" if why_not else "kept from sleeping while frames pass (PM QoS)"
    Worker(control, engine, {"scheduling": scheduling, "pid": os.getpid(), "engine": engine.name,
                             "processors": processors}).run()  # fmt: skip
