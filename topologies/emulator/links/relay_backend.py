"""Links through a userspace relay: starts the relay process, makes the TAPs, hands them over, asks for counters.

It moves no packet itself; that is the process in `relay/`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

from . import netlink, tap
from .backend import BackendError, Counters, DirectionCounters, End, Stretch
from .netns import entered
from .spec import Direction, LinkSpec

ROOT = Path(__file__).resolve().parents[3]
_START = (
    "import sys; sys.path.insert(0, {root!r}); from topologies.emulator.links.relay.loop import main; main({fd}, {pid})"
)
_PATIENCE_S = 10.0
"""The relay answers within microseconds; a machine stalled for longer than this cannot run a lab."""


class RelayBackend:
    """TAP links. The thread that makes it must live as long as it does: the relay dies with that thread."""

    name = "relay"

    def __init__(self, why: str = "asked for") -> None:
        self._why = why
        self._links: dict[str, tuple[int, End, End]] = {}
        self._closed = False
        self._errors: BinaryIO = os.fdopen(os.memfd_create("relay-stderr"), "w+b")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_PATIENCE_S)
        self._control = ours
        start = _START.format(root=str(ROOT), fd=theirs.fileno(), pid=os.getpid())
        # Isolated and without site: no environment, no user packages, a third of the memory.
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", start],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors, pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the lab; the relay ends with its parent
            )  # fmt: skip
        try:
            self._hello: dict[str, Any] = self._receive()
        except BackendError:
            self.close()
            raise

    def connect(self, name: str, a: End, b: End, spec: LinkSpec) -> None:
        """See `Backend.connect`."""
        if name in self._links:
            raise ValueError(f"link '{name}' exists already")
        fds: list[int] = []
        try:
            for end in (a, b):
                fds.append(tap.make(end, spec.mtu))
            link = {"mtu": spec.mtu} | {
                way: _arguments(getattr(spec, way), f"{spec.seed} {name} {way}") for way in ("a_to_b", "b_to_a")
            }
            index = self._ask({"add": link}, fds)
        finally:
            for fd in fds:
                os.close(fd)
        self._links[name] = (index, a, b)

    def counters(self) -> Counters:
        """See `Backend.counters`."""
        return {name: self._of_link(*link) for name, link in self._links.items()}

    def watch(self, on: bool) -> Stretch:
        """See `Backend.watch`."""
        found = self._ask({"watch": on})
        late: dict[str, dict[str, tuple[int, int]]] = {}
        for name, (index, _, _) in self._links.items():
            ways = zip(("a_to_b", "b_to_a"), found["links"][index], strict=True)
            late[name] = {way: (p99_and_max[0], p99_and_max[1]) for way, p99_and_max in ways if p99_and_max}
        return Stretch(late, found["stall_ns"])

    def alive(self) -> str:
        """Empty, or why the relay ended, in its own words."""
        if self._closed:
            return "the relay was closed"
        status = self._process.poll()
        if status is None:
            return ""
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        how = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"the relay process was {how}" + (f": {said[-1]}" if said else "")

    def describe(self) -> dict[str, Any]:
        """How it runs."""
        return {"backend": self.name, "why": self._why, **self._hello}

    def close(self) -> None:
        """End the relay. The interfaces stay, without carrier, until their namespaces end."""
        if self._closed:
            return
        self._closed = True
        self._control.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _of_link(self, index: int, a: End, b: End) -> dict[str, DirectionCounters]:
        reports = self._ask({"stats": index})
        found = {}
        for way, report, source in zip(("a_to_b", "b_to_a"), reports, (a, b), strict=True):
            if report.pop("gone"):
                overrun = None  # the device went with its namespace, and so did what it knew
            else:
                with entered(source.pid), netlink.Netlink() as kernel:
                    overrun = kernel.stats(source.ifname)["tx_dropped"]
            report.pop("failures")
            found[way] = DirectionCounters(**report, overrun=overrun)
        return found

    def _ask(self, request: dict[str, Any], fds: list[int] | None = None) -> Any:
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], fds or [])
        except OSError as error:
            raise BackendError(f"could not reach the relay: {self._ended() or error}") from error
        return self._receive()

    def _ended(self) -> str:
        """`alive()` after a broken conversation: a process that is just ending gets a second to have ended."""
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return ""
        return self.alive()

    def _receive(self) -> Any:
        try:
            data = self._control.recv(65536)
        except OSError as error:
            raise BackendError(f"could not get an answer from the relay: {self._ended() or error}") from error
        if not data:
            raise BackendError(f"could not use the relay: {self._ended() or 'it closed its control socket'}")
        answer = json.loads(data)
        if "error" in answer:
            raise BackendError(f"could not use the relay: {answer['error']}")
        return answer["ok"]


def _arguments(way: Direction, seed: str) -> list[Any]:
    """The arguments of `Pipe`, in integer nanoseconds."""
    return [round(way.delay_ms * 1e6), way.rate_bps, way.queue_bytes, way.loss, round(way.jitter_ms * 1e6), seed]
