"""The guest's agent: runs the job's command, carries its streams to the port, then its status and the files to bring back.

It is not a shell and knows no experiment. Stdlib only, and few modules of it: every import is time to boot under TCG.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from experiments.harness.vm import frames

CHECKOUT = Path("/longhaul")
JOB = Path("/longhaul.job.json")
PORT = "longhaul"
BEAT_S = 5.0
LAST_WORDS_S = 0.2
PIECE_BYTES = 1 << 15
HELD_BYTES = 1 << 20
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

IN_SHELL = ("sh", "-c", '"$@"; exit $?', "sh")
"""It says what is wrong with a command that cannot be started, and reaps what the command leaves."""

ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *IN_SHELL)
"""In a PID namespace of its own, whatever the command leaves running ends with it, and its streams end too."""


class Port:
    """Frames to and from the host."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.sent_s = 0.0
        self._reader = frames.Reader()

    def send(self, kind: int, payload: bytes = b"") -> None:
        """One frame; waits while the host does not read."""
        data = memoryview(frames.frame(kind, payload))
        while data:
            data = data[os.write(self.fd, data) :]
        self.sent_s = time.monotonic()

    def receive(self) -> list[tuple[int, bytes]]:
        """What has come from the host."""
        return self._reader.feed(os.read(self.fd, PIECE_BYTES))


class Input:
    """The command's standard input: bytes wait here while the command does not read them."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.held = bytearray()
        self._ended = False
        os.set_blocking(fd, False)

    def add(self, piece: bytes) -> None:
        """Bytes for the command."""
        self.held += piece

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self.write()

    def write(self) -> None:
        """As much as the command takes now."""
        try:
            while self.held and self.fd >= 0:
                del self.held[: os.write(self.fd, self.held[:PIECE_BYTES])]
        except BlockingIOError:
            return
        except OSError:  # the command closed its input: the rest is for nobody
            self.held.clear()
            self._ended = True
        if self._ended and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def main() -> int:
    """Run the job."""
    Path("/proc/self/oom_score_adj").write_text("-1000", encoding="ascii")
    job = json.loads(JOB.read_text(encoding="utf-8"))
    port = Port(os.open(_device(), os.O_RDWR))
    port.send(frames.UP)
    status = _in_terminal(port, job) if job["terminal"] else _in_pipes(port, job)
    port.send(frames.STATUS, str(status).encode("ascii"))
    _bring(port, job["bring"])
    port.send(frames.DONE)
    return 0


def _device() -> str:
    for entry in Path("/sys/class/virtio-ports").iterdir():
        if (entry / "name").read_text(encoding="ascii").strip() == PORT:
            return f"/dev/{entry.name}"
    raise FileNotFoundError(f"no virtio-serial port is named {PORT}")


def _in_pipes(port: Port, job: dict[str, Any]) -> int:
    (their_in, ours_in), (ours_out, their_out), (ours_err, their_err) = os.pipe(), os.pipe(), os.pipe()
    command = subprocess.Popen([*ALONE, *job["command"]], cwd=CHECKOUT, env=_environment(job), stdin=their_in, stdout=their_out,
                               stderr=their_err, preexec_fn=_ordinary)  # noqa: PLW1509  # there are no threads  # fmt: skip
    for fd in (their_in, their_out, their_err):
        os.close(fd)
    _carry(port, {ours_out: frames.OUT, ours_err: frames.ERR}, Input(ours_in), os.pidfd_open(command.pid))
    status = command.wait()
    return status if status >= 0 else 128 - status


def _in_terminal(port: Port, job: dict[str, Any]) -> int:
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        _ordinary()
        os.chdir(CHECKOUT)
        os.execve("/bin/sh", [*IN_SHELL, *job["command"]], _environment(job))
    _carry(port, {terminal: frames.OUT}, Input(os.dup(terminal)), os.pidfd_open(pid), terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


def _carry(port: Port, streams: dict[int, int], given: Input, ended: int, terminal: int = -1) -> None:
    """Until the command has ended and its streams are empty."""
    reading = {*streams, port.fd, ended}
    while reading & {*streams, ended}:
        # A host that sends more than the command reads has to wait, as on any pipe.
        asked = reading - ({port.fd} if len(given.held) > HELD_BYTES else set())
        writing = [given.fd] if given.held and given.fd >= 0 else []
        last_words = terminal >= 0 and ended not in reading  # what still holds the terminal is not waited for
        readable, writable, _ = select.select(list(asked), writing, [], LAST_WORDS_S if last_words else BEAT_S)
        if last_words and not readable:
            return
        if time.monotonic() - port.sent_s >= BEAT_S:
            port.send(frames.BEAT)
        if writable:
            given.write()
        for fd in readable:
            if fd == port.fd:
                _take(port, given, terminal)
            elif fd == ended:
                reading.discard(ended)
            elif piece := _read(fd):
                port.send(streams[fd], piece)
            else:
                reading.discard(fd)


def _take(port: Port, given: Input, terminal: int) -> None:
    for kind, payload in port.receive():
        if kind == frames.IN:
            given.add(payload)
            given.write()
        elif kind == frames.IN_END:
            given.end()
        elif kind == frames.SIZE and terminal >= 0:
            import termios

            rows, columns = payload.split()
            termios.tcsetwinsize(terminal, (int(rows), int(columns)))


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, PIECE_BYTES)
    except OSError:  # EIO: the last holder of the terminal has closed it (pty(7))
        return b""


def _bring(port: Port, paths: list[str]) -> None:
    there = [path for path in paths if os.path.lexists(CHECKOUT / path)]
    for path in paths:
        if path not in there:
            port.send(frames.MISSING, os.fsencode(path))
    if there:
        command = ["tar", "-C", str(CHECKOUT), "-c", "--", *there]
        archive = subprocess.Popen(command, stdout=subprocess.PIPE, env={"PATH": PATH})
        assert archive.stdout
        while piece := archive.stdout.read(PIECE_BYTES):
            port.send(frames.FILES, piece)
        if archive.wait() != 0:
            raise OSError(f"tar ended with status {archive.returncode}")


def _environment(job: dict[str, Any]) -> dict[str, str]:
    return {"PATH": PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "LANG": "C.UTF-8", **job["environment"]}


def _ordinary() -> None:
    """What the agent is and a command is not: spared when memory runs out, and deaf to a closed pipe."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    Path("/proc/self/oom_score_adj").write_text("0", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main())
