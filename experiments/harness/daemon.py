"""A daemon of an experiment: a process in a node of the lab, which an experiment may also kill, pause and start again.

It knows nothing of the question, nor of other daemons.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from experiments.harness import processes
from topologies.emulator.lab import Lab, environment

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 10.0
STOP_WITHIN_S = 12.0
LOOK_EVERY_S = 0.25
_SESSION = 3
"""Among the fields of `processes.stat`."""


class StageError(Exception):
    """A daemon that did not start, died or did not answer; the message has its own last words."""


class Daemon:
    """A process in a node. `url` is where it listens, when it said so.

    `instrument` says that it measures: no fault of an experiment touches it. It is `away` once it was killed on purpose, and
    `paused` while it stands still. `more` is added to its environment.
    """

    def __init__(
        self, lab: Lab, node: str, module: str, arguments: list[str], logs: Path, more: Mapping[str, str] | None = None,
        *, instrument: bool = False
    ) -> None:  # fmt: skip
        self.lab, self.node, self.module, self.instrument = lab, node, module, instrument
        self._environment = {**environment(ROOT), **(more or {})}
        self.errors = logs / f"{node}.stderr"
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self.url = ""
        self.begin()

    def begin(self) -> None:
        """Start the process, anew if it is away; `wait_ready` waits for it."""
        self.away = self.paused = False
        with self.errors.open("ab") as stderr:
            self.process: subprocess.Popen[str] = self.lab.node(self.node).start(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, bufsize=1,
                env=self._environment, cwd="/",
            )  # fmt: skip

    def kill(self) -> None:
        """End it and all processes that it started, at once (SIGKILL)."""
        self.away = True
        self._signal(signal.SIGKILL)
        self.process.wait(STOP_WITHIN_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def pause(self) -> None:
        """It stands still, and its connections stay open (SIGSTOP)."""
        self.paused = True
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self.paused = False
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)  # it leads a session of its own, see LabNode.start
        except ProcessLookupError:
            raise StageError(f"could not signal {self.module} on {self.node}: {self.dead() or 'it is gone'}") from None

    def wait_ready(self) -> None:
        """Wait for its `ready` line. Raises StageError."""
        event = self.read(READY_WITHIN_S, "become ready")
        if event.get("event") != "ready":
            raise StageError(
                f"could not start {self.module} on {self.node}: it said {event} instead of that it is ready"
            )
        self.url = f"http://{event['listen']}" if "listen" in event else ""

    def read(self, within_s: float, attempt: str, trouble: Callable[[], str] = lambda: "") -> dict[str, Any]:
        """One line of JSON from it. Raises StageError when none comes in time, when it ended, or when `trouble` says
        that something else did, without which none can come."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + within_s
        while not select.select([self.process.stdout], [], [], LOOK_EVERY_S)[0]:
            if time.monotonic() > deadline:
                raise StageError(f"could not {attempt}: {self.module} on {self.node} said nothing for {within_s:g} s")
            if problem := trouble():
                raise StageError(f"could not {attempt}: {problem}")
        line = self.process.stdout.readline()
        if not line:
            raise StageError(f"could not {attempt}: {self.dead() or 'it closed its output'}")
        found: dict[str, Any] = json.loads(line)
        return found

    def order(self, order: Mapping[str, Any], attempt: str) -> None:
        """Give it an order, one line of JSON. Raises StageError when it reads no more."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise StageError(f"could not {attempt}: {self.dead() or f'{self.module} closed its input'}") from None

    def resident_bytes(self) -> int:
        """The memory of the largest of its processes, in the machine's RAM and its own."""
        mine = (pid for pid, fields in processes.stats().items() if int(fields[_SESSION]) == self.process.pid)
        return max(map(processes.resident_bytes, mine), default=0)

    def dead(self) -> str:
        """Empty while it runs, and when it was killed on purpose; else how it ended, with its last words."""
        if self.away:
            return ""
        status = self.process.poll()
        if status is None:
            return ""
        said = self.errors.read_text(errors="replace").strip().splitlines()
        return f"{self.module} on {self.node} ended with status {status}" + (f" ({said[-1]})" if said else "")

    def stop(self) -> str:
        """End it cleanly; empty, or what was wrong with its end."""
        if self.away:
            return ""
        if self.process.poll() is None:
            if self.paused:
                self.resume()
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return f"{self.module} on {self.node} did not stop within {STOP_WITHIN_S:g} s of SIGTERM"
        return "" if self.process.returncode in (0, -signal.SIGTERM) else self.dead()
