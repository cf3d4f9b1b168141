"""What nginx cannot say of itself: `/-/cache`, `/-/connections` and `/-/metrics`, answered over a unix socket that only
nginx asks. It is no proxy and sees no other request.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from nodes.http.families import COUNTERS, OTHERS
from nodes.http.metrics import Metrics

Answer = dict[str, object]


class Helper(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens at `folder/name`; `answer(method, path)` gives a status and a JSON object, or a text."""

    daemon_threads = True

    def __init__(self, folder: Path, name: str, answer: Callable[[str, str], tuple[int, Answer | str]]) -> None:
        self.answer = answer
        (folder / name).unlink(missing_ok=True)
        # The path of a unix socket holds 107 bytes at most; through the descriptor of its folder any folder will do.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            super().__init__(f"/proc/self/fd/{descriptor}/{name}", _Handler)
        finally:
            os.close(descriptor)

    def begin(self) -> None:
        """Answer in a thread from now on."""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Helper

    def _reply(self) -> None:
        status, said = self.server.answer(self.command, self.path.partition("?")[0])
        kind = "text/plain; version=0.0.4" if isinstance(said, str) else "application/json"
        body = (said if isinstance(said, str) else json.dumps(said) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_DELETE = do_POST = do_PUT = _reply

    def address_string(self) -> str:
        """A unix socket's peer has no address."""
        return "nginx"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: nginx logs these requests."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("nginx", timeout=5)
        self._path = path

    def connect(self) -> None:
        """To a socket in the file system."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def stub_status(folder: Path, name: str) -> str:
    """What nginx counts. Raises OSError or HTTPException when it does not answer."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    connection = _UnixConnection(f"/proc/self/fd/{descriptor}/{name}")
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
        os.close(descriptor)


def metrics(status: str, node: str) -> str:
    """stub_status in the words of our own servers. What nginx does not count is absent."""
    words = status.split()
    accepted, handled, requests = map(int, words[7:10])
    told = Metrics(node)
    told.declare({name: COUNTERS[name] for name in ("longhaul_connections_total", "longhaul_accept_errors_total")},
                 {**OTHERS, "longhaul_requests_total": "Requests."})  # fmt: skip
    told.gauge("longhaul_connections_open", int(words[2]))
    told.count("longhaul_connections_total", accepted)
    told.count("longhaul_accept_errors_total", accepted - handled)
    told.count("longhaul_requests_total", requests)
    return told.text()
