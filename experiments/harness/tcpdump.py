"""One tcpdump in a node: started, ready, stopped, and what it says of itself. It reads no packet.

What the kernel dropped is read from its own last words; one that lost a packet, or that cannot say, did not see everything.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from experiments.harness.points import Point
from topologies.emulator.lab import Lab

BUFFER_KIB = 2048
"""Room for 8,000 packets that wait to be read. The kernel clears it at every start; 16 MiB made other labs' links late."""
READY_WITHIN_S = 5.0
STOP_WITHIN_S = 5.0

_LAST_WORDS = re.compile(r"(\d+) packets? (captured|received by filter|dropped by kernel|dropped by interface)")


class CaptureError(Exception):
    """A capture that could not be started, or whose file could not be written."""


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


class Tcpdump:
    """It writes a classic pcap to `raw`, every packet as it comes."""

    def __init__(self, lab: Lab, point: Point, raw: Path, snap_bytes: int) -> None:
        self.point, self.raw = point, raw
        with raw.open("wb") as file:
            # To standard output: AppArmor's profile of tcpdump lets it write to few paths. As root: it would change to
            # a user that a user namespace does not have.
            self.process: subprocess.Popen[bytes] = lab.node(point.node).start(
                ["tcpdump", "-i", point.interface, "-n", "-s", str(snap_bytes), "-B", str(BUFFER_KIB), "-U", "-Z", "root",
                 "--immediate-mode", "--time-stamp-precision=nano", "-w", "-"],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE,
            )  # fmt: skip
        self.said = b""

    def wait_ready(self) -> None:
        """Until it listens. Raises CaptureError."""
        deadline = time.monotonic() + READY_WITHIN_S
        stderr = self._stderr()
        while b"listening on" not in self.said:
            ready = select.select([stderr], [], [], max(0, deadline - time.monotonic()))[0]
            chunk = os.read(stderr.fileno(), 4096) if ready else b""
            self.said += chunk
            if not chunk:
                why = "it said nothing" if not ready else self.said.decode(errors="replace").strip() or "it ended"
                raise CaptureError(f"could not start tcpdump on {self.point.name}: {why}; run `longhaul doctor`")

    def cpu_ns(self) -> int:
        """Processor time that it has taken; 0 where the kernel does not say, or when it has ended."""
        try:
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text(encoding="ascii").split()[0])
        except (OSError, IndexError):
            return 0

    def ask_to_stop(self) -> None:
        """It writes what it has, says its last words and ends."""
        self.process.send_signal(signal.SIGINT)

    def last_words(self) -> str:
        """After `ask_to_stop`; empty when it did not end and had to be killed, which `problem_of` takes for what it is."""
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
