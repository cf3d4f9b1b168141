"""A program of others that a node is, as a child process: started, awaited, ended. It does not know what the program serves."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nodes.http.failure import Failure

READY_S, LOOK_S = 10.0, 0.005


class Child:
    """SIGTERM and SIGINT of this process end it, and so does the end of this process, however that comes."""

    def __init__(
        self, name: str, command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        # setpriv (util-linux) has the kernel end it with us; one that lost its starter would serve on unseen.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], cwd=cwd, env=environment,
                                        stdin=subprocess.DEVNULL)  # fmt: skip
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def wait_ready(self, trouble: Callable[[], str]) -> None:
        """Until `trouble`, which may raise OSError while nobody listens, has no reason why not. Raises Failure."""
        deadline_s = time.monotonic() + READY_S
        while True:
            try:
                cause = trouble()
            except OSError as error:
                cause = f"it does not answer ({(error.strerror or str(error)).lower()})"
            if not cause:
                return
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                self.process.kill()
                raise Failure(f"start {self.name}", cause, "read what it said above")
            time.sleep(LOOK_S)

    def wait(self) -> None:
        """Until it was asked to end and did. Raises Failure when it ended by itself."""
        status = self.process.wait()
        if not self._asked:
            raise Failure("go on", f"{self.name} ended by itself with status {status}", "read what it said above")

    def _stop(self, _number: int, _frame: object) -> None:
        self._asked = True
        self.process.send_signal(signal.SIGCONT)  # a paused process does not hear anything else
        self.process.terminate()
