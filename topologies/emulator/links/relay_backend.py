"""Links through a userspace relay: starts its workers, makes the TAPs, hands them over, asks for counters.

It moves no packet itself; that are the processes in `relay/`: one for each way of all links (links that pass segments take
turns instead), or one for everything on a machine with one processor.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cores import RELAY

from . import netlink, shape, tap
from .backend import BackendError, Counters, DirectionCounters, End, Stretch
from .netns import NamespaceError, entered
from .packet_log import Log, Origin
from .relay import message
from .relay.message import Add, Apply, LogBegin, LogEnd, Report, Stage, Watch, Way
from .relay.process import Process
from .relay.segments import HEADER_BYTES
from .spec import Direction, LinkSpec

WAYS = ("a_to_b", "b_to_a")
LOG_BYTES = 256 << 20
"""Room of a packet log, of each worker: a million records of headers. Only what is written is ever taken from the machine."""
AHEAD_NS = 2_000_000
"""A change is told to both workers for a moment so far ahead, so that it happens to both directions in that moment."""


@dataclass
class _Link:
    """A link as it is now. Its TAPs stay open here only where segments pass whole, which a change may end and begin again."""

    spec: LinkSpec
    ways: dict[str, _Way]
    taps: tuple[int, ...]


@dataclass
class _Way:
    """One direction: where it begins and ends, the port of the worker that has it, and what it is now."""

    source: End
    target: End
    worker: int
    port: int
    direction: Direction
    header_bytes: int = 0
    effects_made: int = 0
    traces: int = 0
    due_ns: int = 0


class RelayBackend:
    """TAP links. The thread that makes it must live as long as it does: the relay dies with that thread."""

    name = "relay"
    early_ns = 20_000_000

    def __init__(self, why: str = "asked for") -> None:
        self._why = why
        self._links: dict[str, _Link] = {}
        self._draws = ""
        self._closed = False
        self._logs: list[mmap.mmap] = []
        library, self._engine_why = RELAY.find()
        self._workers = [Process(library) for _ in range(min(2, len(os.sched_getaffinity(0))))]
        try:
            self._hellos: list[dict[str, Any]] = [worker.receive() for worker in self._workers]
        except BackendError:
            self.close()
            raise

    def connect(self, name: str, a: End, b: End, spec: LinkSpec) -> None:
        """See `Backend.connect`."""
        if name in self._links:
            raise ValueError(f"link '{name}' exists already")
        passed, fds = spec.passes[0], []
        try:
            for end in (a, b):
                fds.append(tap.make(end, spec.mtu, passed=passed))
            ways = {}
            for number, (way, ends) in enumerate(zip(WAYS, ((a, b), (b, a)), strict=True)):
                # Both ways of a link that passes segments have one worker, which leaves a processor to the hosts' copying.
                worker = (len(self._links) if passed else number) % len(self._workers)
                made = _Way(*ends, worker, -1, getattr(spec, way), HEADER_BYTES if passed else 0)
                told = self._told(spec, name, way, made)
                trace = [message.trace_file(made.direction.trace.times_ms)] if made.direction.trace else []
                try:
                    made.port = self._workers[made.worker].ask(Add(told, passed), [*fds[:: 1 - 2 * number], *trace])
                finally:
                    for fd in trace:
                        os.close(fd)
                ways[way] = made
            self._links[name] = _Link(spec, ways, tuple(map(os.dup, fds)) if passed else ())
        finally:
            for fd in fds:
                os.close(fd)

    def change(self, name: str, ways: Mapping[str, Direction], at_ns: int = 0) -> int:
        """See `Backend.change`. Both directions change at the same nanosecond."""
        if name not in self._links:
            raise BackendError(f"could not change the link {name}: there is none; links are {', '.join(self._links) or 'none'}")
        link = self._links[name]
        spec = replace(link.spec, **dict(ways))  # type: ignore[arg-type]  # checks the values; raises LinkError
        # A worker holds one change to come for each direction: the next is told when the one before has been made.
        time.sleep(max(0, max(link.ways[way].due_ns for way in ways) - time.monotonic_ns()) / 1e9)
        link.spec = spec
        for fd in link.taps:
            tap.pass_segments(fd, link.spec.passes[0])
        for way, direction in ways.items():
            self._stage(link.spec, name, way, link.ways[way], direction)
        told_ns = max(at_ns, time.monotonic_ns() + AHEAD_NS)
        self._apply([link.ways[way] for way in ways], told_ns)
        if told_ns == at_ns:
            return at_ns  # the workers change at that nanosecond of their own, if they hear of it in time
        return self.changed_ns(name, ways)

    def changed_ns(self, name: str, ways: Iterable[str]) -> int:
        """See `Backend.changed_ns`."""
        found = [self._links[name].ways[way] for way in ways]
        time.sleep(max(0, max(way.due_ns for way in found) - time.monotonic_ns()) / 1e9)
        return max(int(self._report(way)[0]["changed_ns"]) for way in found)

    def draw_anew(self, draws: str) -> None:
        """See `Backend.draw_anew`."""
        self._draws, found = draws, []
        for name, link in self._links.items():
            for way, made in link.ways.items():
                if made.direction.effects:
                    time.sleep(max(0, made.due_ns - time.monotonic_ns()) / 1e9)
                    made.effects_made = 0
                    told = self._told(link.spec, name, way, made)
                    self._workers[made.worker].ask(Stage(made.port, told, False))
                    found.append(made)
        if found:
            self._apply(found, time.monotonic_ns())

    def counters(self) -> Counters:
        """See `Backend.counters`."""
        return {name: {way: self._of_way(made) for way, made in link.ways.items()} for name, link in self._links.items()}

    def watch(self, on: bool) -> Stretch:
        """See `Backend.watch`."""
        found = [worker.ask(Watch(on)) for worker in self._workers]
        late: dict[str, dict[str, tuple[int, int]]] = {}
        for name, link in self._links.items():
            passed = {way: found[made.worker][0].get(made.port) for way, made in link.ways.items()}
            late[name] = {way: p99_and_max for way, p99_and_max in passed.items() if p99_and_max}
        return Stretch(late, max(stall_ns for _, stall_ns in found))

    def note_packets(self, snap_bytes: int) -> None:
        """See `Backend.note_packets`."""
        self._logs = []
        for worker in self._workers:
            fd = os.memfd_create("packets")
            try:
                os.ftruncate(fd, LOG_BYTES)
                self._logs.append(mmap.mmap(fd, LOG_BYTES))
                worker.ask(LogBegin(snap_bytes + HEADER_BYTES), [fd])
            finally:
                os.close(fd)

    def noted_packets(self) -> Log:
        """See `Backend.noted_packets`."""
        parts, left_out = [], 0
        for number, (worker, memory) in enumerate(zip(self._workers, self._logs, strict=True)):
            used, left = worker.ask(LogEnd())
            ports = {made.port: Origin(name, way, made.header_bytes) for name, link in self._links.items()
                     for way, made in link.ways.items() if made.worker == number}  # fmt: skip
            parts.append((memoryview(memory)[:used], ports))
            left_out += left
        self._logs = []
        return Log(parts, left_out)

    def alive(self) -> str:
        """Empty, or why the relay ended, in its own words. Where one worker has ended, the other is ended too."""
        if self._closed:
            return "the relay was closed"
        why = next((why for worker in self._workers if (why := worker.alive())), "")
        if why:
            for worker in self._workers:
                worker.kill()
        return why

    def describe(self) -> dict[str, Any]:
        """How it runs. `pid` is that of the first worker, `pids` are all."""
        hello = {**self._hellos[0], "pids": [hello["pid"] for hello in self._hellos]}
        return {"backend": self.name, "why": self._why, **hello, "engine_why": self._engine_why}

    def close(self) -> None:
        """End the relay. The interfaces stay, without carrier, until their namespaces end."""
        if not self._closed:
            self._closed = True
            for worker in self._workers:
                worker.close()
            for link in self._links.values():
                for fd in link.taps:
                    os.close(fd)

    def _stage(self, spec: LinkSpec, name: str, way: str, made: _Way, direction: Direction) -> None:
        old, made.direction = made.direction, direction
        made.effects_made += direction.effects != old.effects
        new_trace = direction.trace is not None and direction.trace != old.trace
        made.traces += new_trace
        fds = [message.trace_file(direction.trace.times_ms)] if direction.trace and new_trace else []
        try:
            told = self._told(spec, name, way, made)
            self._workers[made.worker].ask(Stage(made.port, told, direction.effects == old.effects), fds)
        finally:
            for fd in fds:
                os.close(fd)

    def _apply(self, ways: list[_Way], at_ns: int) -> None:
        for number, worker in enumerate(self._workers):
            ports = tuple(way.port for way in ways if way.worker == number)
            if ports:
                worker.ask(Apply(ports, at_ns))
        for way in ways:
            way.due_ns = at_ns

    def _told(self, spec: LinkSpec, name: str, way: str, made: _Way) -> Way:
        """What a worker is told of a direction. New effects draw from generators of their own, numbered, so that what a change
        does depends neither on when it came nor on how many fates had been prepared."""
        seed = " ".join(filter(None, (str(spec.seed), name, way, self._draws, str(made.effects_made or ""))))
        made_of = shape.of(made.direction, spec.mtu, made.traces)
        return Way(message.without_times(made_of), made.direction.effects, seed)

    def _report(self, made: _Way) -> Any:
        return self._workers[made.worker].ask(Report(made.port))

    def _of_way(self, made: _Way) -> DirectionCounters:
        sent, received = _kernel(made.source), _kernel(made.target)
        counts, late, rows = self._report(made)
        unexplained = abs(counts["packets"] + counts["duplicated"] - counts["held"]
                          - sum(counts[key] for key in ("delivered", "dropped_queue", "dropped_codel", "dropped_down", "lost",
                                                        "failed")))  # fmt: skip
        if counts.pop("gone") or sent is None or received is None:
            overrun = None  # the device went with its namespace, and so did what it knew
        else:
            # The kernel is asked before and after: what it counts meanwhile may be in the relay's count or not.
            read, written = counts["packets"] + counts["refused"], counts["delivered"]
            if (sent["tx_packets"], received["rx_packets"]) != (read, written):
                after = _kernel(made.source) or sent, _kernel(made.target) or received
                unexplained += _outside(read, sent["tx_packets"], after[0]["tx_packets"])
                unexplained += _outside(written, received["rx_packets"], after[1]["rx_packets"])
            overrun = sent["tx_dropped"] + counts["refused"]
        del counts["refused"], counts["changed_ns"]
        return DirectionCounters(**counts, overrun=overrun, unexplained=unexplained, lateness=rows, lateness_p50_ns=late[0],
                                 lateness_p99_ns=late[1], lateness_max_ns=late[2])  # fmt: skip


def _kernel(end: End) -> dict[str, int] | None:
    """What the kernel has counted at that interface; None when it is gone."""
    try:
        with entered(end.pid), netlink.Netlink() as kernel:
            return kernel.stats(end.ifname)
    except (NamespaceError, netlink.KernelError):
        return None


def _outside(value: int, low: int, high: int) -> int:
    """How far a value is from lying between two others."""
    return max(low - value, value - high, 0)
