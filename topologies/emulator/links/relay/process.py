"""One worker process as the lab sees it: started, spoken to, ended. It knows no link; see `worker.py` for the other side."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from topologies.emulator.links.backend import BackendError

from . import message
from .message import Refused

ROOT = Path(__file__).resolve().parents[4]
_START = ("import sys; sys.path.insert(0, {root!r}); from topologies.emulator.links.relay.worker import main; "
          "main({fd}, {pid}, {library!r})")  # fmt: skip
_PATIENCE_S = 10.0
"""A worker answers within microseconds; a machine stalled for longer than this cannot run a lab."""


class Process:
    """The thread that makes it must live as long as it does: the worker dies with that thread."""

    def __init__(self, library: str):
        self._errors: BinaryIO = os.fdopen(os.memfd_create("relay-stderr"), "w+b")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_PATIENCE_S)
        start = _START.format(root=str(ROOT), fd=theirs.fileno(), pid=os.getpid(), library=library)
        # Isolated and without site: no environment, no user packages, a third of the memory.
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", start],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors, pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the lab; the relay ends with its parent
            )  # fmt: skip
        self.pid = self._process.pid

    def ask(self, request: object, fds: Sequence[int] = ()) -> Any:
        """One question, its answer. Raises BackendError."""
        try:
            message.send(self._control, request, fds)
        except OSError as error:
            raise BackendError(f"could not reach the relay: {self._ended() or error}; run it again") from error
        return self.receive()

    def receive(self) -> Any:
        """What it says of itself first, or answers. Raises BackendError."""
        try:
            answer, _ = message.receive(self._control)
        except OSError as error:
            raise BackendError(f"could not get an answer from the relay: {self._ended() or error}; run it again") from error
        if isinstance(answer, Refused):
            raise BackendError(f"could not use the relay: {answer.why}")
        if answer is None and (ended := self._ended()):
            raise BackendError(f"could not use the relay: {ended}; run it again")
        return answer

    def alive(self) -> str:
        """Empty, or why it ended, in its own words."""
        status = self._process.poll()
        if status is None:
            return ""
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        how = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"the relay process was {how}" + (f": {said[-1]}" if said else "")

    def kill(self) -> None:
        """At once, and reaped. A second call does nothing."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Let it end by itself; it has a second."""
        self._control.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self.kill()
        self._errors.close()

    def _ended(self) -> str:
        """`alive()` after a broken conversation: a process that is just ending gets a second to have ended."""
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return ""
        return self.alive()
