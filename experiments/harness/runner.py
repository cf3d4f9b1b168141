"""The runner: builds the lab, proves the links, runs the trials in random order, and leaves a run directory.

It judges nothing: it writes what happened and why it may not be trusted; `results` does the rest from the files.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from experiments.harness import capture_plan, enough, lifeline, machine, needs, stage, trial
from experiments.harness.blame import blamed
from experiments.harness.capture import CaptureError, Overhead, Recorder
from experiments.harness.experiment import Experiment
from experiments.harness.order import Slot, schedule
from experiments.harness.progress import Progress
from experiments.harness.resume import Earlier, again
from experiments.harness.rundir import RunDirectory
from experiments.harness.series import SeriesError
from experiments.harness.stage import Stage, StageError
from experiments.harness.status import INTERRUPTED, DefectError
from results.manifest import default_needed
from topologies.emulator.changes import Moment
from topologies.emulator.hosts import CONGESTION_CONTROL
from topologies.emulator.lab import Lab
from topologies.emulator.links.backend import BackendError, UnsupportedError
from topologies.emulator.links.netns import NamespaceError, entered
from topologies.emulator.links.spec import LinkError
from topologies.emulator.plan import NodeError
from units import show_ms

TROUBLE = (DefectError, StageError, SeriesError, CaptureError, BackendError, NamespaceError, NodeError, LinkError)
"""What may break in a lab while it runs: the run is then invalid, and everything that was measured is kept."""


def wrong_links(rows: Sequence[Mapping[str, Any]], when: str) -> list[str]:
    """Reasons of the links that are not as specified, from rows of links.json."""
    return [f"link {row['name']}{when}: {'; '.join(row['reasons'])}" for row in rows if not row["ok"]]


def changed_settings(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What somebody changed in the nodes between the first trial and the last."""
    return [f"{name} was changed during the run: {before.get(name, 'absent')} became {after.get(name, 'absent')}"
            for name in sorted({*before, *after}) if before.get(name) != after.get(name)]  # fmt: skip


def never_reached(score: Sequence[Moment], changes: Sequence[Mapping[str, Any]]) -> str:
    """What to warn of when trials were shorter than the schedules that were to change their links; else empty."""
    reached = {(change["link"], round(change["planned_ms"], 3)) for change in changes if change["planned_ms"] is not None}
    missed = [moment.at_ms for moment in score if (moment.link, round(moment.at_ms, 3)) not in reached]
    if not missed:
        return ""
    return f"the schedule's steps from {show_ms(missed[0])} on were never reached: every trial was over before"


@dataclass
class Run:
    """One run, or what goes on with an `earlier` one. `execute` is what happens inside the sandbox."""

    experiment: Experiment
    directory: RunDirectory
    link: str
    document: dict[str, Any]
    facts: dict[str, Any]
    earlier: Earlier | None = None
    done: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict, init=False)
    """Rows of the trials that an earlier part of the run has done."""

    def execute(self) -> int:
        """Run every trial and finish the manifest; 0 when it was finished, 130 when it was interrupted."""
        self.began, self.reading, self.invalid = time.monotonic(), machine.reading(), list[str]()
        self.captured = Overhead()
        self.rows: list[dict[str, Any]] = []
        self.carried: dict[str, Any] = {}
        self.lab: Lab | None = None
        self.stage: Stage | None = None
        self.progress = Progress(0)
        self.topology = self.experiment.world
        now = datetime.now(UTC).isoformat()
        self.document.update(run_id=self.directory.run_id, machine=self.facts, started=now)
        if self.earlier:
            self._go_on(self.earlier, now)
        self.directory.write_json("manifest.json", self.document)
        self.links: dict[str, Any] = {"backend": "", "links": []} | self.carried
        interrupted = False
        try:
            self._measure()
        except KeyboardInterrupt:
            interrupted = True
            self.progress.say(f"interrupted: what is done is kept; {self.document['command']} --resume "
                              f"{self.directory.path} goes on")  # fmt: skip
        except UnsupportedError as error:
            self.document["unsupported"] = [str(error)]
        except TROUBLE as error:
            self.invalid.append(str(error))
        try:
            self._close()
        except TROUBLE as error:
            self.invalid.append(str(error))
        self._finish(interrupted)
        return INTERRUPTED if interrupted else 0

    def _go_on(self, earlier: Earlier, now: str) -> None:
        """Begin with what the run has so far: its reasons for distrust and its counts stay its own."""
        before = earlier.document
        self.document.update(started=before["started"], resumed=now, parts=earlier.parts())
        self.invalid += before.get("invalid", [])
        self.carried, self.done = earlier.carried(), earlier.rows
        counts = before.get("machine") or {}
        self.captured = Overhead(counts.get("captured_packets", 0), counts.get("capture_drops", 0))

    def _measure(self) -> None:
        if lacks := needs.lacking(self.experiment.needs(), needs.of_this_machine()):
            raise UnsupportedError(f"could not run this experiment here: {'; '.join(lacks)}")
        self.progress.say(f"building {type(self.topology).__name__} ({len(self.topology.nodes_info)} nodes)")
        wanted = capture_plan.plan(self.experiment)
        self.lab = Lab(self.topology, self.link)
        with lifeline.tied_to(self.lab.links.alive):
            self.links = self.lab.verify() | self.carried
        self._take(self.lab, self.links)
        if wrong := wrong_links(self.links["links"], ""):
            self.invalid += wrong
            return
        self.progress.say(f"links verified: {len(self.links['links'])}, by {self.links['backend']}")
        self.stage = Stage(self.lab, self.directory.path / "logs", self.directory.path / "scratch",
                           self.experiment.edge__engine, keys=wanted.keys)  # fmt: skip
        recorder = Recorder(self.lab, wanted, self.directory.path / "captures", self.directory.run_id, self.stage.keys)
        self.lab.begin()
        with lifeline.tied_to(self.lab.links.alive):
            with blamed(type(self.experiment), "start the daemons", *TROUBLE):
                self.experiment.start(self.stage)
            self._changed(0, [one.as_dict(time.monotonic_ns()) for one in self.lab.live.done])
            settings = self.lab.settings()
            self._trials(self.stage, recorder)
            self.invalid += changed_settings(settings, self.lab.settings())

    def _close(self) -> None:
        """End the daemons, and ask the links what they were like; whatever fails here is a reason for distrust."""
        if self.stage is None or self.lab is None:
            return
        self.invalid += self.stage.stop()
        if trouble := self.lab.links.alive():
            self.invalid += [] if any(trouble in reason for reason in self.invalid) else [trouble]
            return
        self.lab.watch(self.links)
        self.lab.live.restore()
        with lifeline.tied_to(self.lab.links.alive):
            after = self.lab.verify()["links"]
        for row, now in zip(self.links["links"], after, strict=True):
            row["after"] = now["before"]
        self.invalid += wrong_links(self.links["links"], "") + wrong_links(after, " (after the trials)")

    def _take(self, lab: Lab, links: dict[str, Any]) -> None:
        named = (*self.experiment.captures(), self.topology.nodes_info[0].name)
        first = next(name for name in named if name in self.topology.plans)
        with entered(lab.node(first).pid):
            self.document["sysctls"] = {"route congctl": f"{CONGESTION_CONTROL}: it goes before the sysctl's, unless tuned",
                                        **machine.sysctls()}  # fmt: skip
        tools = machine.tools(stage.versions(self.experiment.edge__engine))
        self.document.update(link_backend=links["backend"], link_how=links["how"], tools=tools)
        self.directory.write_json("links.json", links)
        self.directory.write_json("manifest.json", self.document)

    def _trials(self, stage: Stage, recorder: Recorder) -> None:
        header = trial.columns(self.document["factors"], self.experiment.columns)
        progress, order = Progress(0), len(self.done)
        began, cpu = time.monotonic(), time.process_time()
        for slot in self._slots(progress):
            if slot.number in self.done:
                self.rows += self.done[slot.number]
                continue
            with blamed(type(self.experiment), f"measure trial {slot.number}", *TROUBLE):
                found = trial.measure(self.experiment, stage, slot.arm, slot.number, recorder)
            order += 1
            first = (slot.repetition - 1) * len(found.rows) + 1
            for number, measured in enumerate(found.rows, first):
                row = {"trial": slot.number, "repetition": 0 if slot.warmup else number, "order": order,
                       "warmup": int(slot.warmup), **measured}  # fmt: skip
                self.rows.append(row)
                self.directory.add_row(header, row)
            self._changed(slot.number, found.changes)
            self.captured += found.overhead
            if found.unchecked:
                counts = self.links.setdefault("handshakes_unchecked", {})
                counts[found.unchecked] = counts.get(found.unchecked, 0) + 1
            if found.changes or found.unchecked:
                self.directory.write_json("links.json", self.links)
            if trouble := stage.trouble():
                raise StageError(trouble)
            progress.step(" · ".join(slot.arm.values()))
            self.facts["harness_cpu_fraction"] = round((time.process_time() - cpu) / (time.monotonic() - began), 5)
        if words := never_reached(self.topology.timeline(), self.links.get("changes", [])):
            self.topology.warnings.append(words)
            self.progress.say(f"warning: {words}")

    def _slots(self, progress: Progress) -> Iterator[Slot]:
        """The schedule; then, where the experiment may repeat on, block by block those arms whose trials are not enough yet.

        Trials that a run which goes on has done are among them; before all stand their warm-ups, once more.
        """
        experiment, seed = self.experiment, self.document["seed"]
        slots = schedule(experiment.arms(), experiment.repetitions, experiment.warmup, seed)
        most = len(experiment.arms()) * (experiment.warmup + max(experiment.repetitions, experiment.most_repetitions))
        warm = again(slots, self.done, most)
        number = len(slots)
        progress.total = len(warm) + sum(slot.number not in self.done for slot in slots)
        yield from (*warm, *slots)
        needed = default_needed(experiment.repetitions * experiment.side_by_side)
        for repetition in range(experiment.repetitions + 1, experiment.most_repetitions + 1):
            arms = enough.lacking(experiment.arms(), self.rows, needed, experiment.precise)
            random.Random(f"{seed} {repetition}").shuffle(arms)
            for arm in arms:
                number += 1
                progress.total += number not in self.done
                yield Slot(number, repetition, False, arm)

    def _changed(self, number: int, changes: list[dict[str, Any]]) -> None:
        """Write down what was changed of the links in a trial; 0 is what `start` changed for all of them."""
        if changes:
            self.links.setdefault("changes", []).extend({"trial": number, **change} for change in changes)

    def _finish(self, interrupted: bool) -> None:
        load = machine.reading().since(self.reading)
        self.invalid += machine.stolen(load)
        self.directory.drop_scratch()
        self.directory.begin_table(trial.columns(self.document["factors"], self.experiment.columns))
        self.directory.write_json("links.json", self.links)
        self.document["machine"] = {**self.facts, "load_after": machine.load(), **load, **self.captured.as_dict()}
        took_s = time.monotonic() - self.began + sum(part["duration_s"] or 0 for part in self.document.get("parts", []))
        self.document.update(interrupted=interrupted, invalid=self.invalid, ended=datetime.now(UTC).isoformat(),
                             duration_s=round(took_s, 3))  # fmt: skip
        self.directory.write_json("manifest.json", self.document)
