"""Daemons as real processes on loopback, raw dialogues with them, and an origin that follows a script."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


class Daemon:
    """One process; `port` is where it listens."""

    def __init__(self, kind: str, *arguments: str, **popen: Any) -> None:
        command = [sys.executable, "-m", kind if "." in kind else f"nodes.{kind}", *arguments]
        self.process = subprocess.Popen(
            command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.ready = json.loads(line)
        self.port = int(self.ready["listen"].rpartition(":")[2])
        self.url = f"http://{self.ready['listen']}"

    @property
    def log(self) -> Path:
        """The file of `--log`."""
        command = self.process.args
        assert isinstance(command, list)
        return Path(command[command.index("--log") + 1])

    def get(self, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
        """One request on a connection of its own."""
        return ask(self.port, method, path, *fields, body=body)

    def stats(self) -> dict[str, Any]:
        """`GET /-/cache` of an edge."""
        answer: dict[str, Any] = json.loads(self.get("/-/cache").body)
        return answer

    def metrics(self) -> str:
        """Its numbers, of which every family must say what it is, and no sample may have two labels of one name."""
        text = self.get("/-/metrics").body.decode()
        shown, told = (re.findall(rf"^# {word} (\S+)", text, re.M) for word in ("TYPE", "HELP"))
        assert shown == told, set(shown) - set(told)
        for labels in re.findall(r"^\w+\{(.*)\} \S+$", text, re.M):
            names = re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', labels)
            assert len(names) == len(set(names)), f"Prometheus refuses all of a text with {labels}"
        return text

    def workers(self) -> list[int]:
        """Its workers' process ids, that of the home first; none where it is one process."""
        own = self.process.pid
        return [int(one) for one in Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii").split()]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; gives the exit status and stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=15)
        return self.process.returncode, errors


class Answer:
    """A parsed response; `whole` says whether as many bytes came as Content-Length promised."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.raw, self.head = raw, lines[0]
        self.status = int(lines[0].split(" ")[1]) if raw else 0
        self.fields: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            before = self.fields.get(name.lower())
            self.fields[name.lower()] = value if before is None else f"{before}, {value}"
        self.whole = len(self.body) == int(self.fields.get("content-length", "0"))


def ended(processes: list[int]) -> bool:
    """Whether none of them runs any more, after a moment; the system may be late to bury an orphan."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{one}/cmdline").exists() and Path(f"/proc/{one}/cmdline").read_bytes() for one in processes):
            return True
        time.sleep(0.02)
    return False


def raw(port: int, data: bytes, *, half_close: bool = False) -> bytes:
    """Say `data`, hear everything until the server closes or resets."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        return hear(sock)


def hear(sock: socket.socket) -> bytes:
    """Everything until the peer closes or resets."""
    parts: list[bytes] = []
    while True:
        try:
            data = sock.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        if not data:
            return b"".join(parts)
        parts.append(data)


def listen(sock: socket.socket, until: bytes) -> bytes:
    """What is heard up to and with `until`."""
    heard = b""
    while until not in heard:
        data = sock.recv(1 << 20)
        if not data:
            raise AssertionError(f"closed before {until!r}: {heard[-300:]!r}")
        heard += data
    return heard


def request(method: str, path: str, *fields: str, body: bytes = b"") -> bytes:
    """A request that asks the server to close afterwards."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", "Connection: close", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def ask(port: int, method: str, path: str, *fields: str, body: bytes = b"") -> Answer:
    """One request, one response."""
    return Answer(raw(port, request(method, path, *fields, body=body)))


class ScriptedOrigin:
    """Hands each request's head to `script(head, connection)`, which sends what it likes; counts them.

    With `tls` it speaks TLS; `failed` then holds the errors of handshakes.
    """

    def __init__(self, script: Callable[[str, socket.socket], bool | None], tls: ssl.SSLContext | None = None) -> None:
        self.script, self.connections, self.tls = script, 0, tls
        self.failed: list[OSError] = []
        self.heads: list[str] = []
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        if self.tls is not None:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError as error:
                self.failed.append(error)
                return
        self._open.append(sock)
        with sock:
            while (head := _take_head(sock)) is not None:
                with self._lock:
                    self.heads.append(head)
                try:
                    if self.script(head, sock) is False:
                        return
                except OSError:
                    return

    def close(self) -> None:
        """Accept no more and end what is open, so that no thread of it goes on beside the next tests."""
        for sock in (self._listening, *self._open):
            with contextlib.suppress(OSError):  # it is closed already
                sock.shutdown(socket.SHUT_RDWR)
        self._listening.close()


LONGEST_HEAD = 256 << 10


def _take_head(sock: socket.socket) -> str | None:
    """Exactly one request's head; what follows it stays in the socket for the script. None at the end, and for what is none."""
    taken = b""
    while not taken.endswith(b"\r\n\r\n"):
        if len(taken) == LONGEST_HEAD:  # content that the script did not take would be read byte by byte to its end
            return None
        try:
            data = sock.recv(1)
        except OSError:
            return None
        if not data:
            return None
        taken += data
    return taken.removesuffix(b"\r\n\r\n").decode("latin-1")


def ok(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """A response with Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
