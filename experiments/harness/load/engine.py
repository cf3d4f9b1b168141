"""A daemon of ours as a process of its own on chosen processors, for benchmarks on loopback. It is no lab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from experiments.harness import processes
from experiments.harness.load.errors import LoadError

ROOT = Path(__file__).resolve().parents[3]
STOP_S = 20.0


class Engine:
    """`nodes.KIND` with its options; `host`, `port` and `url` are where it listens. A context: it ends with the block."""

    beside: tuple[Engine, ...] = ()
    """Others whose work belongs to the measurement, such as the server behind a proxy."""

    def __init__(self, kind: str, *options: str, cpus: str) -> None:
        command = ["taskset", "-c", cpus, sys.executable, "-P", "-W", "ignore::DeprecationWarning", "-m", f"nodes.{kind}",
                   *options]  # fmt: skip
        self.kind = kind
        self.process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
                                        stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise LoadError(f"could not start {kind}: it ended with status {self.process.wait()}; read what it said above")
        self.host, _, port = json.loads(line)["listen"].rpartition(":")
        self.port, self.url = int(port), f"http://{self.host}:{port}"

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def pids(self) -> list[int]:
        """Its processes: the one that was started and those below it."""
        parents = {pid: int(fields[1]) for pid, fields in processes.stats().items()}
        found = [self.process.pid]
        for one in found:
            found += [pid for pid, parent in parents.items() if parent == one]
        return found

    def cpu_s(self) -> float:
        """Processor time that all its processes have used."""
        ticks = sum(int(stat[11]) + int(stat[12]) for pid in self.pids() if (stat := processes.stat(pid)))
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Memory of all its processes, each counted whole."""
        return sum(map(processes.resident_bytes, self.pids()))
