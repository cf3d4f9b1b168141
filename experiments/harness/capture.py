"""The captures of one trial: every point of its plan, ready before the first packet and stopped after the last.

It reads no packet: `results.captures` does. A capture that lost a packet is a reason why the trial does not count.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.harness import relay_log
from experiments.harness.capture_plan import Plan
from experiments.harness.points import Point
from experiments.harness.rundir import explained
from experiments.harness.tcpdump import CaptureError, Tcpdump, counts, problem_of
from results.captures import pcapng
from results.captures.errors import CaptureError as PcapError
from topologies.emulator.lab import Lab

__all__ = ["CaptureError", "Captures", "Outcome", "Overhead", "Recorder", "overhead"]

DRAIN_WITHIN_S = 2.0
MERGE_WITHIN_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """A finished capture. `problem` is empty when it holds every packet that passed; `cpu_ns` is what capturing took."""

    point: Point
    path: Path
    packets: int
    dropped: int
    problem: str
    cpu_ns: int = 0


@dataclass(frozen=True)
class Overhead:
    """What capturing took: packets kept and dropped, processor time of the programs that kept them, and in what time. What the
    kernel spends on handing each packet over is not in it."""

    packets: int = 0
    drops: int = 0
    cpu_s: float = 0.0
    took_s: float = 0.0

    def __add__(self, other: Overhead) -> Overhead:
        return Overhead(self.packets + other.packets, self.drops + other.drops, self.cpu_s + other.cpu_s,
                        self.took_s + other.took_s)  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """For the manifest; the share is of one processor, while trials ran."""
        return {"captured_packets": self.packets, "capture_drops": self.drops,
                "capture_cpu_fraction": round(self.cpu_s / self.took_s, 5) if self.took_s else 0.0}  # fmt: skip


@dataclass(frozen=True)
class Recorder:
    """Makes the captures of each trial of a run. `keys` is where daemons write the keys of their TLS connections."""

    lab: Lab
    plan: Plan
    folder: Path
    run_id: str
    keys: Path

    def trial(self, number: int) -> Captures:
        """Of one trial."""
        return Captures(self, number)

    def key_log(self) -> bytes:
        """All TLS keys so far, as a key log; nothing when they are not wanted."""
        files = sorted(self.keys.glob("*.keys")) if self.plan.keys else []
        return b"".join(file.read_bytes() for file in files)


class Captures:
    """The captures of one trial. Use it as a context; afterwards `outcomes` has one entry a point, and `problems` says what
    was wrong with any."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder, self._number, self._lab = recorder, number, recorder.lab
        self._stem = recorder.folder / f"trial-{number:04}"
        self.outcomes: list[Outcome] = []
        self.problems: list[str] = []
        self._running: list[Tcpdump] = []

    def __enter__(self) -> Captures:
        wanted = self._recorder.plan
        if wanted.relay:
            self._lab.links.note_packets(wanted.snap_bytes)
        for point in wanted.points:
            self._running.append(Tcpdump(self._lab, point, self._path(point, "pcap"), wanted.snap_bytes))
        for tcpdump in self._running:
            tcpdump.wait_ready()
        return self

    def __exit__(self, *_error: object) -> None:
        self._drain()
        wanted = self._recorder.plan
        cpu_ns = [tcpdump.cpu_ns() for tcpdump in self._running]
        for tcpdump in self._running:
            tcpdump.ask_to_stop()
        keys = self._recorder.key_log()
        comment = f"longhaul run {self._recorder.run_id}, trial {self._number}"
        self.outcomes = [self._finish(tcpdump, comment, keys, took)
                         for tcpdump, took in zip(self._running, cpu_ns, strict=True)]  # fmt: skip
        self.problems = [one.problem for one in self.outcomes if one.problem]
        files = [one.path for one in self.outcomes if one.path.exists()]
        if wanted.relay:  # its log began before the captures and ends after them: it has all that they have
            noted, path = self._lab.links.noted_packets(), self._stem.with_name(f"{self._stem.name}.relay.pcapng")
            with explained(path):
                self.problems += filter(None, [relay_log.write(path, noted, self._lab.topology.links_info, comment)])
            files.append(path)
        if wanted.merged and len(files) > 1:
            merge(files, self._stem.with_suffix(".pcapng"))

    @property
    def own(self) -> list[Outcome]:
        """Those that the experiment itself asked for, the client's first."""
        return [one for one in self.outcomes if one.point in self._recorder.plan.own]

    def _path(self, point: Point, kind: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{point.file}.{kind}")

    def _drain(self) -> None:
        # tcpdump writes every packet as it comes (-U, immediate mode): when no file grows any more, none is on its way.
        deadline = time.monotonic() + DRAIN_WITHIN_S
        sizes: list[int] = []
        while time.monotonic() < deadline:
            time.sleep(0.02)
            before, sizes = sizes, [tcpdump.raw.stat().st_size for tcpdump in self._running]
            if sizes == before:
                return

    def _finish(self, tcpdump: Tcpdump, comment: str, keys: bytes, cpu_ns: int) -> Outcome:
        found, point = counts(tcpdump.last_words()), tcpdump.point
        path, problem = self._path(point, "pcapng"), ""
        about = pcapng.Described(f"{point.node}:{point.interface}", point.name, f"link {point.link}, {comment}")
        try:
            with explained(path):
                held = pcapng.convert_file(tcpdump.raw, path, comment=comment, interface=about, keys=keys,
                                           received=found.get("received by filter"),
                                           dropped=found.get("dropped by kernel"))  # fmt: skip
        except PcapError as error:
            held, problem = 0, str(error)
        tcpdump.raw.unlink()
        problem = problem or problem_of(found, held)
        return Outcome(point, path, held, found.get("dropped by kernel", -1), problem and f"{point.name}: {problem}", cpu_ns)


def merge(files: Sequence[Path], target: Path) -> None:
    """One file of all packets in order of time, by Wireshark's mergecap. Raises CaptureError."""
    # It writes the names that it was given into the file: they are to say nothing of this machine.
    command = ["mergecap", "-F", "pcapng", "-w", target.name, *(file.name for file in files)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MERGE_WITHIN_S, check=False, cwd=target.parent)
    except subprocess.TimeoutExpired:
        raise CaptureError(f"could not merge the captures: mergecap took over {MERGE_WITHIN_S:g} s; leave "
                           "capture.merged out") from None  # fmt: skip
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CaptureError(f"could not merge the captures: {said}; leave capture.merged out")


def overhead(outcomes: Sequence[Outcome], took_s: float) -> Overhead:
    """Of a trial that took so long."""
    return Overhead(sum(one.packets for one in outcomes), sum(max(0, one.dropped) for one in outcomes),
                    sum(one.cpu_ns for one in outcomes) / 1e9, took_s)  # fmt: skip
