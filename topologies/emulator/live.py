"""The links of a running lab as they are now: changed by hand, by a schedule, and back to what was specified.

It moves no packet: a backend does. It keeps what was changed when, so that what was measured meanwhile can be judged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from topologies.emulator import selecting
from topologies.emulator.changes import Moment, explained
from topologies.emulator.conductor import Conductor
from topologies.emulator.links import change
from topologies.emulator.links.backend import Backend
from topologies.emulator.links.change import Change
from topologies.emulator.links.spec import Direction, LinkError, LinkSpec
from topologies.emulator.links.tolerance import REAL, Tolerance
from topologies.emulator.parts import WAYS
from topologies.emulator.topology import Topology


@dataclass(frozen=True)
class Changed:
    """A change that was made: of which link, into what, when (CLOCK_MONOTONIC), and when it was due if a schedule asked.

    `before` and `after` are the whole link as it was known then; what the change is about are its `ways`.
    """

    link: str
    before: LinkSpec
    after: LinkSpec
    ways: tuple[str, ...]
    done_ns: int
    planned_ns: int | None = None

    def as_dict(self, began_ns: int) -> dict[str, Any]:
        """For `links.json`, in ms since `began_ns`: the words of each direction that became another."""
        return {"link": self.link, "done_ms": (self.done_ns - began_ns) / 1e6,
                "planned_ms": None if self.planned_ns is None else (self.planned_ns - began_ns) / 1e6,
                **{way: change.words(getattr(self.after, way)) if way in self.ways else None for way in WAYS}}  # fmt: skip

    def tardy(self, tolerance: Tolerance = REAL) -> str:
        """Why it does not count: it came more than 1 ms and 1 % of the RTT (or what the machine is allowed) after it was due.
        Else empty."""
        if self.planned_ns is None:
            return ""
        late_ms = (self.done_ns - self.planned_ns) / 1e6
        rtt_ms = min(self.before.rtt_ms, self.after.rtt_ms)
        allowed_ms = tolerance.of_time(max(1.0, 0.01 * rtt_ms), rtt_ms)
        if late_ms <= allowed_ms:
            return ""
        return (f"link {self.link}: a change of its schedule came {late_ms:.3g} ms late where {allowed_ms:.3g} ms is allowed: "
                "the machine was too busy")  # fmt: skip


Cables = Callable[[str, Mapping[str, Direction]], int]
"""Cuts or heals directions of a plain cable, as they are up or not; returns when (CLOCK_MONOTONIC, ns)."""


class Live:
    """The links of one lab. `specs` says what they are now. Several threads may use it."""

    def __init__(self, topology: Topology, backend: Backend, now_ns: Callable[[], int] = time.monotonic_ns,
                 tolerance: Tolerance = REAL, cables: Cables | None = None) -> None:  # fmt: skip
        self.topology, self.backend, self._now_ns, self._tolerance = topology, backend, now_ns, tolerance
        self._cables = cables
        self.specs = topology.specs
        self.built = dict(topology.specs)
        self.done: list[Changed] = []
        """What was changed since the start, or since `as_found` began the last time."""
        self._base = dict(topology.specs)
        self.began_ns = now_ns()
        """When the schedules began the last time."""
        self._turn = threading.RLock()
        self._scheduled: dict[tuple[str, str], int] = {}
        self._ahead: list[int] = []
        """Which of `done` were told ahead: when they were made has still to be asked."""

    def change(self, which: str, words: str) -> int:
        """Change a link (`a-b`) or one direction of it (`a>b`): `rate 10mbit loss 1%`, `down`. What is not named stays, also
        its queue. Returns when it took effect (CLOCK_MONOTONIC, ns). Raises LinkError, and then nothing has changed."""
        return self._changed(which, words, lambda wanted, link, way: wanted.apply(getattr(self.specs[link], way)))

    def undo(self, which: str, words: str) -> int:
        """What these words set becomes again what it was when `as_found` began; all else stays. As `change` otherwise."""
        return self._changed(which, words, lambda wanted, link, way: wanted.undo(getattr(self.specs[link], way),
                                                                                  getattr(self._base[link], way)))  # fmt: skip

    def _changed(self, which: str, words: str, becomes: Callable[[Change, str, str], Direction]) -> int:
        link, ways = selecting.one(self.topology.links_info, which)
        with self._turn, explained(f"could not change link {link.name}"):
            wanted = change.parse(words)
            if self.built[link.name].unshaped and (wanted.touches != {"down"} or self._cables is None):
                raise LinkError("it is a plain cable, which nothing emulates and which can only go down and up; give it a "
                                "delay or a rate in the topology")  # fmt: skip
            if any(self._scheduled.get((link.name, way), 0) > self._now_ns() for way in ways):
                raise LinkError("its schedule has steps to come; leave one of the two out")
            spec = self.specs[link.name]
            become: dict[str, Any] = {way: becomes(wanted, link.name, way) for way in ways}
            try:
                after = replace(spec, **become)
            except LinkError as error:
                raise LinkError(f"{error}; it stays as it was") from None
            return self._make(link.name, after, ways).done_ns

    def words(self, which: str) -> list[str]:
        """What a link is now, a line for each direction that is meant. Raises LinkError."""
        link, ways = selecting.one(self.topology.links_info, which)
        if self.built[link.name].unshaped:
            down = [way for way in WAYS if not getattr(self.specs[link.name], way).up]
            return [f"{link.name}: a plain cable, which nothing emulates{', cut' if down else ''}"]
        ends = {"a_to_b": f"{link.a} > {link.b}", "b_to_a": f"{link.b} > {link.a}"}
        return [f"{ends[way]}: {change.words(getattr(self.specs[link.name], way))}" for way in ways]

    @contextmanager
    def as_found(self) -> Iterator[None]:
        """What the body changes is changed back after it. Not when it fails: the lab is over then."""
        self._base, self.done, self._ahead, self.began_ns = dict(self.specs), [], [], self._now_ns()
        yield
        self._back_to(self._base)

    def restore(self) -> None:
        """Make every link what was specified again."""
        self._back_to(self.built)

    @contextmanager
    def scheduled(self) -> Iterator[list[str]]:
        """The schedules run while the body does; their time counts from its start. After it the list says which changes came
        late, and an error that stopped the schedules is raised."""
        tardy: list[str] = []
        score = self.topology.timeline(self.specs)
        early_ns = self.backend.early_ns if score else 0
        self.began_ns = self._now_ns() + early_ns
        due = {(one.link, way): self.began_ns + round(one.at_ms * 1e6) for one in score for way in one.ways}
        first = len(self.done)
        conductor = Conductor(score, self.began_ns, early_ns, self._play, self._now_ns)
        self._scheduled = due
        try:
            with conductor:
                time.sleep(max(0, self.began_ns - self._now_ns()) / 1e9)
                yield tardy
        finally:
            self._scheduled = {}
        if conductor.error:
            raise conductor.error
        with self._turn:
            self._ask_when(self._ahead)
        tardy += filter(None, (one.tardy(self._tolerance) for one in self.done[first:]))

    def states(self, since_ns: int, until_ns: int) -> tuple[Mapping[str, LinkSpec], set[str]]:
        """What the links were at `since_ns`, and the names of those that became another from then until `until_ns`."""
        found, moved = dict(self._base), set[str]()
        for one in self.done:
            if one.done_ns < since_ns:
                # Of the other way it knew what had been told by then, which may have been still to come.
                found[one.link] = _with(found[one.link], one.after, one.ways)
            elif one.done_ns <= until_ns:
                moved.add(one.link)
        return found, moved

    def _play(self, moment: Moment, due_ns: int) -> None:
        with self._turn, explained(f"could not change link {moment.link} as its schedule has it"):
            # The score was written before it was played; the other way may have been changed by hand meanwhile.
            after = _with(self.specs[moment.link], moment.spec, moment.ways)
            self._make(moment.link, after, moment.ways, due_ns)

    def _back_to(self, specs: Mapping[str, LinkSpec]) -> None:
        with self._turn:
            for name, spec in specs.items():
                ways = tuple(way for way in WAYS if getattr(spec, way) != getattr(self.specs[name], way))
                if ways:
                    self._make(name, spec, ways)

    def _make(self, name: str, after: LinkSpec, ways: tuple[str, ...], planned_ns: int | None = None) -> Changed:
        # Only of its last change a direction knows when it was made.
        self._ask_when([one for one in self._ahead if self.done[one].link == name and set(ways) & set(self.done[one].ways)])
        before = self.specs[name]
        become = {way: getattr(after, way) for way in ways}
        if self.built[name].unshaped:
            assert self._cables is not None
            done_ns = self._cables(name, become)
        else:
            done_ns = self.backend.change(name, become, planned_ns or 0)
        self.specs[name] = after
        if planned_ns is not None:
            self._ahead.append(len(self.done))
        self.done.append(Changed(name, before, after, ways, done_ns, planned_ns))
        return self.done[-1]

    def _ask_when(self, which: list[int]) -> None:
        """A change that was told ahead was made when the backend says, which need not be when it was told to."""
        for number in list(which):
            one = self.done[number]
            self.done[number] = replace(one, done_ns=self.backend.changed_ns(one.link, one.ways))
            self._ahead.remove(number)


def _with(spec: LinkSpec, other: LinkSpec, ways: tuple[str, ...]) -> LinkSpec:
    """The link with those ways of another state of it. Raises LinkError."""
    become: dict[str, Any] = {way: getattr(other, way) for way in ways}
    return replace(spec, **become)
