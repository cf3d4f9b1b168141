"""Faults of an experiment, made while it measures: daemons killed, paused and started again, links of a node or zone cut or
slowed.

It decides none of them and judges no consequence. What is done is written down with its moment; what was made in a trial is
unmade after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from experiments.harness.daemon import Daemon, StageError
from experiments.harness.timetable import Step, TimetableError, parse, slower
from topologies.emulator import selecting
from topologies.emulator.conductor import Conductor
from topologies.emulator.lab import Lab
from topologies.emulator.links.spec import LinkError
from topologies.emulator.setting import nearest

LATE_MS = 20.0
"""A fault that comes so much after it was due sets its trial aside; starting a process takes some ms."""


@dataclass(frozen=True)
class Fault:
    """What was done, when (CLOCK_MONOTONIC) and, by a timetable, when it was due."""

    verb: str
    what: str
    done_ns: int
    due_ns: int | None = None
    words: str = ""

    def late_ms(self) -> float:
        """How late it was; 0 without a timetable."""
        return 0.0 if self.due_ns is None else (self.done_ns - self.due_ns) / 1e6

    def as_row(self, began_ns: int) -> dict[str, Any]:
        """For `series/faults.csv`, in ms since `began_ns`."""
        due_ms = None if self.due_ns is None else round((self.due_ns - began_ns) / 1e6, 3)
        return {"fault": self.verb, "what": self.what, "words": self.words, "due_ms": due_ms,
                "done_ms": round((self.done_ns - began_ns) / 1e6, 3)}  # fmt: skip


class Faults:
    """Of one stage, whose `daemons` these are. A name is a node's, a zone's (`az1.mumbai`) or a place's (`mumbai`); of links
    also a link's. The methods return when it was done (CLOCK_MONOTONIC, ns), and raise StageError."""

    def __init__(self, lab: Lab, daemons: Callable[[], Sequence[Daemon]]) -> None:
        self._lab, self._daemons = lab, daemons
        self.done: list[Fault] = []
        """Since the start, or since `as_found` began the last time."""
        self.began_ns = time.monotonic_ns()
        self._unready: list[Daemon] = []
        self._problems: list[str] = []
        self._slowed: dict[str, str] = {}

    def kill(self, name: str) -> int:
        """End the daemons there at once (SIGKILL); clients and load generators stay, they measure."""
        return self._each(name, "kill", lambda one: not one.away, lambda one: one.kill())

    def restart(self, name: str, *, ready: bool = True) -> int:
        """Start again what was killed there, and with `ready` wait until it is."""

        def again(daemon: Daemon) -> None:
            daemon.begin()
            self._unready.append(daemon)

        done_ns = self._each(name, "restart", lambda one: one.away, again)
        if ready:
            self.wait_ready()
        return done_ns

    def pause(self, name: str) -> int:
        """The daemons there stand still; what they have open stays open."""
        return self._each(name, "pause", lambda one: not one.away and not one.paused, lambda one: one.pause())

    def resume(self, name: str) -> int:
        """Paused daemons go on."""
        return self._each(name, "resume", lambda one: one.paused, lambda one: one.resume())

    def cut(self, name: str) -> int:
        """Nothing passes any more between what the name means and the rest; on a link's name, over that link."""
        return self._links(name, "cut", lambda link: self._lab.change(link, "down"))

    def heal(self, name: str) -> int:
        """It passes again."""
        return self._links(name, "heal", lambda link: self._lab.change(link, "up"))

    def slow(self, name: str, words: str) -> int:
        """The links that lead out of what the name means, or the link of that name, become what the words say: `delay 40ms`,
        `rate 5mbit loss 1%`. A plain cable cannot."""
        try:
            slower(words)
            done_ns = self._links(name, "slow", lambda link: self._lab.change(link, words), words)
        except LinkError as error:
            raise StageError(f"could not slow {name}: {error}") from None
        self._slowed[name] = words
        return done_ns

    def restore(self, name: str) -> int:
        """What slowing set is again as it was when the trial began."""
        if name not in self._slowed:
            raise StageError(f"could not restore {name}: it was not slowed; look at the order of the faults")
        words = self._slowed.pop(name)
        return self._links(name, "restore", lambda link: self._lab.undo(link, words))

    def do(self, step: Step, due_ns: int | None = None) -> None:
        """One step of a timetable, now; a restart does not wait until it is ready."""
        if step.verb == "restart":
            self.restart(step.what, ready=False)
        elif step.verb == "slow":
            self.slow(step.what, step.words)
        else:
            acts = {"kill": self.kill, "pause": self.pause, "resume": self.resume, "cut": self.cut, "heal": self.heal,
                    "restore": self.restore}  # fmt: skip
            acts[step.verb](step.what)
        self.done[-1] = replace(self.done[-1], due_ns=due_ns)

    def check(self, text: str) -> tuple[Step, ...]:
        """The steps of a timetable, whose names there are all. Raises StageError."""
        try:
            steps = parse(text)
        except TimetableError as error:
            raise StageError(str(error)) from None
        for step in steps:
            if step.verb in ("cut", "heal", "slow", "restore"):
                self._border(step.what, step.verb)
            else:
                self._at(step.what, step.verb)
        return steps

    def timetable(self, text: str) -> AbstractContextManager[None]:
        """The faults of a timetable happen while the body runs, their times counted from its start. What came late, or never
        because the body was over, sets the trial aside."""
        return self.played(self.check(text), time.monotonic_ns())

    @contextmanager
    def played(self, steps: Sequence[Step], began_ns: int) -> Iterator[None]:
        """As `timetable`, with steps that `check` gave, counted from `began_ns` (CLOCK_MONOTONIC)."""
        self.began_ns = began_ns
        before = len(self.done)
        conductor = Conductor(steps, self.began_ns, 0, self.do, time.monotonic_ns)
        with conductor:
            yield
        if conductor.error:
            raise conductor.error
        self.wait_ready()
        self._problems += [f"the fault {one.verb} {one.what} came {one.late_ms():.3g} ms late: the machine was too busy"
                           for one in self.done[before:] if one.late_ms() > LATE_MS]  # fmt: skip
        self._problems += [f"the fault {one.verb} {one.what} at {one.at_ms / 1e3:g} s never came: the trial was over before"
                           for one in steps[len(self.done) - before :]]  # fmt: skip

    @contextmanager
    def as_found(self) -> Iterator[list[str]]:
        """Faults of the body are unmade after it; the list then says which of them did not come as they were to. Links are made
        what they were by whoever keeps them. Not when it fails: the lab is over then."""
        self.done, self._problems, self._slowed, self.began_ns = [], [], {}, time.monotonic_ns()
        found: list[str] = []
        yield found
        found += self._problems
        for daemon in self._daemons():
            if daemon.paused:
                daemon.resume()
            if daemon.away:
                daemon.begin()
                self._unready.append(daemon)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait for what was started again."""
        while self._unready:
            self._unready.pop().wait_ready()

    def rows(self) -> list[dict[str, Any]]:
        """What was done, for `stage.keep`."""
        return [one.as_row(self.began_ns) for one in self.done]

    def _each(self, name: str, verb: str, wanted: Callable[[Daemon], bool], act: Callable[[Daemon], None]) -> int:
        chosen = [daemon for daemon in self._at(name, verb) if wanted(daemon)]
        if not chosen:
            states = {"kill": "runs", "pause": "runs", "restart": "was killed", "resume": "is paused"}
            raise StageError(f"could not {verb} {name}: no daemon there {states[verb]}; look at the order of the faults")
        for daemon in chosen:
            act(daemon)
        return self._note(verb, name)

    def _at(self, name: str, verb: str) -> list[Daemon]:
        nodes = self._nodes(name, verb)
        found = [daemon for daemon in self._daemons() if daemon.node in nodes and not daemon.instrument]
        if not found:
            raise StageError(f"could not {verb} {name}: the experiment started no daemon there; name another node")
        return found

    def _nodes(self, name: str, verb: str) -> list[str]:
        nodes = selecting.group(self._lab.topology.nodes_info, name)
        if not nodes:
            known = selecting.names(self._lab.topology.nodes_info)
            raise StageError(f"could not {verb} '{name}': it is no node, zone or place of this lab; {nearest(name, known)}")
        return nodes

    def _links(self, name: str, verb: str, act: Callable[[str], int], words: str = "") -> int:
        for link in self._border(name, verb):
            act(link)
        return self._note(verb, name, words)

    def _border(self, name: str, verb: str) -> list[str]:
        """Names of links, none of them a cable where that cannot do what the verb says."""
        topology = self._lab.topology
        inside = selecting.group(topology.nodes_info, name)
        if not inside:
            try:
                found = [selecting.one(topology.links_info, name)[0]]
            except LinkError:
                known = [*selecting.names(topology.nodes_info), *(link.name for link in topology.links_info)]
                raise StageError(f"could not {verb} '{name}': it is no node, zone, place or link of this lab; "
                                 f"{nearest(name, known)}") from None  # fmt: skip
        else:
            found = selecting.border(topology.links_info, inside)
        if not found:
            raise StageError(f"could not {verb} '{name}': no link leads out of it; name a part of the lab")
        if verb == "slow" and (cables := [link.name for link in found if link.spec.unshaped]):
            raise StageError(f"could not slow {name}: {', '.join(cables)} is a plain cable, which can only be cut; "
                             "name the zone or a link that has a delay or a rate")  # fmt: skip
        return [link.name for link in found] if inside else [name]

    def _note(self, verb: str, name: str, words: str = "") -> int:
        done_ns = time.monotonic_ns()
        self.done.append(Fault(verb, name, done_ns, words=words))
        return done_ns
