"""Captures of one trial: tcpdump at several nodes, ready before the first packet and stopped after the last.

It reads no packet: `results.captures` does. What the kernel dropped is read from tcpdump's own last words; a capture
that lost a packet, or that cannot say, is a reason why the trial does not count.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from experiments.harness.rundir import explained
from results.captures import pcapng
from results.captures.errors import CaptureError as PcapError
from topologies.emulator.lab import Lab

SNAP_BYTES = 160
"""Headers and the first line of a request; whole bodies would cost disk and CPU during the trial."""

BUFFER_KIB = 2048
"""Room for 8,000 packets that wait to be read. The kernel clears it at every start; 16 MiB made other labs' links late."""
READY_WITHIN_S = 5.0
DRAIN_WITHIN_S = 2.0
STOP_WITHIN_S = 5.0

_LAST_WORDS = re.compile(r"(\d+) packets? (captured|received by filter|dropped by kernel|dropped by interface)")


class CaptureError(Exception):
    """A capture that could not be started, or whose file could not be written."""


@dataclass(frozen=True)
class Outcome:
    """A finished capture. `problem` is empty when it holds every packet that passed."""

    node: str
    path: Path
    packets: int
    dropped: int
    problem: str


def counts(last_words: str) -> dict[str, int]:
    """tcpdump's closing numbers by name: captured, received by filter, dropped by kernel."""
    return {name: int(number) for number, name in _LAST_WORDS.findall(last_words)}


def problem_of(found: dict[str, int], held: int) -> str:
    """Why a capture of `held` packets is not the whole truth; empty when it is."""
    missing = {"captured", "received by filter", "dropped by kernel"} - set(found)
    if missing:
        return f"tcpdump did not say how many packets were {', '.join(sorted(missing))}"
    dropped = found["dropped by kernel"] + found.get("dropped by interface", 0)
    if dropped:
        return f"the kernel dropped {dropped} packets of the capture"
    # What was received and not captured came while the capture was being stopped, after the trial: the FIN of a
    # connection is on its way for half a round trip. Trials check by sequence numbers that they lack nothing.
    return (
        "" if held == found["captured"] else f"the file holds {held} packets where tcpdump captured {found['captured']}"
    )


class _Tcpdump:
    def __init__(self, lab: Lab, node: str, raw: Path) -> None:
        self.node, self.raw = node, raw
        self.interface = lab.topology.plans[node].interfaces[0].name
        with raw.open("wb") as file:
            # To standard output: AppArmor's profile of tcpdump lets it write to few paths. As root: it would change to
            # a user that a user namespace does not have.
            self.process: subprocess.Popen[bytes] = lab.node(node).start(
                ["tcpdump", "-i", self.interface, "-n", "-s", str(SNAP_BYTES), "-B", str(BUFFER_KIB), "-U", "-Z", "root",
                 "--immediate-mode", "--time-stamp-precision=nano", "-w", "-"],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE,
            )  # fmt: skip
        self.said = b""

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        stderr = self._stderr()
        while b"listening on" not in self.said:
            ready = select.select([stderr], [], [], max(0, deadline - time.monotonic()))[0]
            chunk = os.read(stderr.fileno(), 4096) if ready else b""
            self.said += chunk
            if not chunk:
                why = "it said nothing" if not ready else self.said.decode(errors="replace").strip() or "it ended"
                raise CaptureError(f"could not start tcpdump on {self.node}: {why}; run `longhaul doctor`")

    def stop(self) -> str:
        """Its last words; empty when it did not answer and had to be killed, which `problem_of` takes for what it is."""
        self.process.send_signal(signal.SIGINT)
        try:
            _, said = self.process.communicate(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return ""
        return (self.said + said).decode(errors="replace")

    def _stderr(self) -> IO[bytes]:
        assert self.process.stderr is not None
        return self.process.stderr


class Captures:
    """The captures of one trial. Use it as a context; afterwards `outcomes` has one entry a node."""

    def __init__(self, lab: Lab, nodes: tuple[str, ...], folder: Path, trial: int, run_id: str) -> None:
        self.lab, self.nodes, self.folder, self.trial, self.run_id = lab, nodes, folder, trial, run_id
        self.outcomes: list[Outcome] = []
        self._running: list[_Tcpdump] = []

    def __enter__(self) -> Captures:
        if self.nodes and not shutil.which("tcpdump"):
            raise CaptureError("could not capture: tcpdump was not found; run: sudo ./provision.sh")
        for node in self.nodes:
            self._running.append(_Tcpdump(self.lab, node, self.folder / f"trial-{self.trial:04}.{node}.pcap"))
        for tcpdump in self._running:
            tcpdump.wait_ready()
        return self

    def __exit__(self, *_error: object) -> None:
        self._drain()
        self.outcomes = [self._finish(tcpdump) for tcpdump in self._running]

    def _drain(self) -> None:
        # tcpdump writes every packet as it comes (-U, immediate mode): when no file grows any more, none is on its way.
        deadline = time.monotonic() + DRAIN_WITHIN_S
        sizes: list[int] = []
        while time.monotonic() < deadline:
            time.sleep(0.02)
            before, sizes = sizes, [tcpdump.raw.stat().st_size for tcpdump in self._running]
            if sizes == before:
                return

    def _finish(self, tcpdump: _Tcpdump) -> Outcome:
        found = counts(tcpdump.stop())
        path = tcpdump.raw.with_suffix(".pcapng")
        problem = ""
        try:
            with explained(path):
                held = pcapng.convert_file(
                    tcpdump.raw, path, comment=f"longhaul run {self.run_id}, trial {self.trial}",
                    interface=tcpdump.interface, interface_comment=tcpdump.node,
                    received=found.get("received by filter"), dropped=found.get("dropped by kernel"),
                )  # fmt: skip
        except PcapError as error:
            held, problem = 0, str(error)
        tcpdump.raw.unlink()
        problem = problem or problem_of(found, held)
        return Outcome(
            tcpdump.node, path, held, found.get("dropped by kernel", -1), problem and f"{tcpdump.node}: {problem}"
        )
