"""The talk with one running guest: its streams to ours, its files into a file, its end into a status or an error.

QEMU dies with the command in whatever way that ends, `kill -9` included. It builds no image and unpacks no file.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from experiments.harness.vm import frames
from experiments.harness.vm.bound import bound
from experiments.harness.vm.console import Console
from experiments.harness.vm.deadlines import Deadlines, Limits
from experiments.harness.vm.errors import VmError, VmUnsupportedError

PIECE_BYTES = 1 << 16


@dataclass
class Streams:
    """File descriptors of ours; `given` None is an empty standard input. `files` receives the tar archive."""

    given: int | None
    out: int
    err: int
    files: BinaryIO


@dataclass
class Ended:
    """How the command ended in the guest: its status, the paths that were not there, seconds until the agent answered."""

    status: int = -1
    missing: list[str] = field(default_factory=list)
    up_s: float = 0.0
    out_of_memory: bool = False


def run(command: Callable[[int, int], list[str]], fds: tuple[int, ...], streams: Streams, limits: Limits,
        size: Callable[[], bytes] | None = None) -> Ended:  # fmt: skip
    """Boot, run the job, end the guest.

    `command` makes QEMU's command line from the descriptors of port and console; `fds` are kept open for it besides.
    `size` is asked now and then for `ROWS COLUMNS` of our terminal. Raises VmError.
    """
    port, theirs = socket.socketpair()
    console, their_console = socket.socketpair()
    with port, console:
        with theirs, their_console:
            argv = command(theirs.fileno(), their_console.fileno())
            qemu = _start(argv, (theirs.fileno(), their_console.fileno(), *fds), their_console)
        with _ending(qemu):
            _prefer(qemu.pid)
            return _Talk(port, console, streams, limits, size).run()


def _start(argv: list[str], fds: tuple[int, ...], complaints: socket.socket) -> subprocess.Popen[bytes]:
    try:
        # A session of its own: the terminal's Ctrl-C is for us, and we end it.
        return subprocess.Popen(bound(argv), pass_fds=fds, stdin=subprocess.DEVNULL, stdout=complaints.fileno(),
                                stderr=complaints.fileno(), start_new_session=True)  # fmt: skip
    except OSError as error:
        raise VmUnsupportedError(f"could not start {argv[0]}: {error.strerror}; run: sudo ./provision.sh --vm") from None


def _prefer(pid: int) -> None:
    """QEMU's first thread serves the timers of an emulated guest, and has to wait for the guest's busy processors otherwise.
    Those are threads that it starts, and stay ordinary."""
    # An ordinary user may not, some kernels cannot, and QEMU may be gone, which the talk with it says in its words. The
    # timers are served later then, which costs a guest punctuality and nothing else: what it measures says so.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


@contextlib.contextmanager
def _ending(qemu: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        qemu.kill()  # the guest keeps nothing: its disk is a throw-away copy
        qemu.wait()


class _Talk:
    def __init__(self, port: socket.socket, console: socket.socket, streams: Streams, limits: Limits,
                 size: Callable[[], bytes] | None) -> None:  # fmt: skip
        self.port, self.console, self.streams, self.size = port, console, streams, size
        self.began = time.monotonic()
        self.deadlines = Deadlines(limits, self.began)
        self.reader = frames.Reader()
        self.words, self.waiting = Console(), bytearray()
        self.given, self.told_size = streams.given, b""
        self.ended = Ended()
        if self.given is None:
            self.waiting += frames.frame(frames.IN_END)

    def run(self) -> Ended:
        """Until the guest's last frame."""
        while True:
            now = time.monotonic()
            if late := self.deadlines.overdue(now):
                raise self._failure(late)
            if self.size and (size := self.size()) != self.told_size:
                self.told_size = size
                self.waiting += frames.frame(frames.SIZE, size)
            for fd in self._ready(self.deadlines.left_s(now)):
                if fd == self.console.fileno():
                    self._hear_console()
                elif fd == self.given:
                    self._take_input()
                elif self._hear():
                    return self.ended

    def _ready(self, left_s: float) -> list[int]:
        reading: list[int] = [self.port.fileno(), self.console.fileno()]
        if self.given is not None and not self.waiting:
            reading.append(self.given)
        timeout_s = min(left_s, 0.5) if self.size else left_s
        readable, writable, _ = select.select(reading, [self.port.fileno()] if self.waiting else [], [], timeout_s)
        if writable:
            try:
                del self.waiting[: self.port.send(self.waiting, socket.MSG_DONTWAIT)]
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass  # QEMU is busy, or gone: then its silence is what we read next
        return readable

    def _hear(self) -> bool:
        """Whether it was the last frame."""
        try:
            piece = self.port.recv(PIECE_BYTES)
        except ConnectionResetError:
            piece = b""
        if not piece:
            when = "the command did" if self.ended.up_s else "it was up"
            raise self._failure(f"the guest ended before {when}; mend what the lines below say, or give more --memory")
        try:
            whole = self.reader.feed(piece)
        except frames.FrameError as error:
            what = f"something else than the agent wrote to its port ({error}); leave /dev/vport* alone there"
            raise self._failure(what) from None
        for kind, payload in whole:
            self.deadlines.heard(time.monotonic())
            if kind == frames.UP:
                self.ended.up_s = time.monotonic() - self.began
            elif kind in (frames.OUT, frames.ERR):
                write(self.streams.out if kind == frames.OUT else self.streams.err, payload)
                self.deadlines.heard(time.monotonic())  # a reader of ours who takes long is not the guest's silence
            elif kind == frames.STATUS:
                self.ended.status = int(payload)
            elif kind == frames.MISSING:
                self.ended.missing.append(os.fsdecode(payload))
            elif kind == frames.FILES:
                self.streams.files.write(payload)
            elif kind == frames.DONE:
                self.ended.out_of_memory = self.words.out_of_memory
                return True
        return False

    def _take_input(self) -> None:
        assert self.given is not None
        piece = os.read(self.given, PIECE_BYTES)
        self.waiting += frames.frame(frames.IN, piece) if piece else frames.frame(frames.IN_END)
        if not piece:
            self.given = None

    def _hear_console(self) -> None:
        self.words.add(self.console.recv(PIECE_BYTES))

    def _failure(self, what: str) -> VmError:
        while select.select([self.console], [], [], 0.2)[0] and (piece := self.console.recv(PIECE_BYTES)):
            self.words.add(piece)
        return VmError(f"could not run in the VM: {what}. From its console:{self.words.last_words()}")


def write(fd: int, data: bytes) -> None:
    """All of it, also to a descriptor that somebody made non-blocking."""
    left = memoryview(data)
    while left:
        select.select([], [fd], [])
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            continue
