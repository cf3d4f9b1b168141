"""The runner: builds the lab, proves the links, runs the trials in random order, and leaves a run directory.

It judges nothing: it writes what happened and why it may not be trusted; `results` does the rest from the files.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from experiments.harness import machine, trial
from experiments.harness.capture import CaptureError
from experiments.harness.experiment import COLUMNS, Arm, Experiment
from experiments.harness.progress import Progress
from experiments.harness.rundir import ROOT, RunDirectory
from experiments.harness.stage import Stage, StageError
from topologies.emulator.lab import Lab
from topologies.emulator.links.backend import BackendError


@dataclass(frozen=True)
class Slot:
    """One place in the order of trials."""

    number: int
    repetition: int
    warmup: bool
    arm: Arm


def schedule(arms: Sequence[Arm], repetitions: int, warmup: int, seed: int) -> list[Slot]:
    """Warm-ups first, then block by block every arm once, each block in its own random order.

    Blocks keep the arms interleaved: what drifts over the minutes of a run touches all of them alike.
    """
    order = random.Random(seed)
    slots: list[Slot] = []
    for block in range(warmup + repetitions):
        shuffled = list(arms)
        order.shuffle(shuffled)
        for arm in shuffled:
            slots.append(Slot(len(slots) + 1, max(0, block - warmup + 1), block < warmup, arm))
    return slots


@dataclass
class Run:
    """One run. `execute` is what happens inside the sandbox."""

    experiment: Experiment
    directory: RunDirectory
    link: str
    document: dict[str, Any]
    facts: dict[str, Any]

    def execute(self) -> int:
        """Run every trial and finish the manifest; 0 when it was finished, 130 when it was interrupted."""
        self.began, self.ticks, self.invalid = time.monotonic(), machine.cpu_ticks(), list[str]()
        self.topology = self.experiment.world
        self.document.update(
            run_id=self.directory.run_id, machine=self.facts, code=machine.code(ROOT), started=datetime.now(UTC).isoformat()
        )
        self.directory.write_json("manifest.json", self.document)
        interrupted = False
        links: dict[str, Any] = {"backend": "", "links": []}
        stage: Stage | None = None
        progress = Progress(0)
        try:
            progress.say(f"building {self.topology.__class__.__name__} ({len(self.topology.nodes_info)} nodes)")
            lab = Lab(self.topology, self.link)
            links = lab.verify()
            self._take(lab, links)
            bad = [f"link {row['name']}: {'; '.join(row['reasons'])}" for row in links["links"] if not row["ok"]]
            self.invalid += bad
            if not bad:
                progress.say(f"links verified: {len(links['links'])}, by {links['backend']}")
                stage = Stage(lab, self.directory.path / "logs", self.directory.path / "scratch")
                self.experiment.start(stage)
                self._trials(stage)
        except KeyboardInterrupt:
            interrupted = True
            progress.say("interrupted: what is done is kept")
        except (StageError, CaptureError, BackendError) as error:
            self.invalid.append(str(error))
        if stage is not None:
            self.invalid += stage.stop()
            if not stage.lab.links.alive():
                stage.lab.watch(links)
                self.invalid += [f"link {row['name']}: {'; '.join(row['reasons'])}" for row in links["links"] if not row["ok"]]
        self._finish(links, interrupted)
        return 130 if interrupted else 0

    def _take(self, lab: Lab, links: dict[str, Any]) -> None:
        from topologies.emulator.links.netns import entered

        first = (*self.experiment.captures(), self.topology.nodes_info[0].name)[0]
        with entered(lab.node(first).pid):
            self.document["sysctls"] = machine.sysctls()
        self.document.update(link_backend=links["backend"], link_how=links["how"], tools=machine.tools())
        self.directory.write_json("links.json", links)
        self.directory.write_json("manifest.json", self.document)

    def _trials(self, stage: Stage) -> None:
        arms = self.experiment.arms()
        slots = schedule(arms, self.experiment.repetitions, self.experiment.warmup, self.document["seed"])
        header = trial.columns(list(arms[0]))
        progress = Progress(len(slots))
        began, cpu = time.monotonic(), time.process_time()
        for slot in slots:
            row = trial.measure(self.experiment, stage, slot.arm, slot.number, self.directory.path / "captures",
                                self.directory.run_id)  # fmt: skip
            self.directory.add_row(header, {"trial": slot.number, "repetition": slot.repetition, "order": slot.number,
                                            "warmup": int(slot.warmup), **row})  # fmt: skip
            if trouble := stage.trouble():
                raise StageError(trouble)
            progress.step(" · ".join(slot.arm.values()))
            self.facts["harness_cpu_fraction"] = round((time.process_time() - cpu) / (time.monotonic() - began), 5)

    def _finish(self, links: dict[str, Any], interrupted: bool) -> None:
        steal = machine.steal_fraction(self.ticks, machine.cpu_ticks())
        if steal > machine.MOST_STEAL:
            self.invalid.append(f"the hypervisor took {steal:.1%} of the CPU time during the run, over "
                                f"{machine.MOST_STEAL:.0%}: run it again on a quieter machine")  # fmt: skip
        self.directory.drop_scratch()
        if not (self.directory.path / "trials.csv").exists():
            arms = self.experiment.arms()
            (self.directory.path / "trials.csv").write_text(",".join(trial.columns(list(arms[0]))) + "\n")
        self.directory.write_json("links.json", links)
        self.document["machine"] = {**self.facts, "load_after": machine.load(), "steal_fraction": round(steal, 5)}
        self.document.update(interrupted=interrupted, invalid=self.invalid, ended=datetime.now(UTC).isoformat(),
                             duration_s=round(time.monotonic() - self.began, 3), columns=COLUMNS)  # fmt: skip
        self.directory.write_json("manifest.json", self.document)
