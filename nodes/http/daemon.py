"""One process of a daemon: its log, its numbers, its application and its server, until it stops.

It reads no options (`options.py` does) and starts no process (`workers.py` does).
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from nodes.http.access_log import AccessLog
from nodes.http.application import Application
from nodes.http.limits import Limits
from nodes.http.metrics import Metrics
from nodes.http.server import Server
from nodes.http.team import Workers

Build = Callable[[str, Metrics], Application]
Ready = Callable[[str, str], None]
"""Called with the daemon's name and address when it accepts."""


def announce(name: str, address: str, **more: object) -> None:
    """Tell whoever started the daemon that it is ready."""
    print(json.dumps({"event": "ready", "listen": address, "name": name, **more}), flush=True)


@dataclass(frozen=True)
class Daemon:
    """What every process of a daemon has in common."""

    name: str
    log: str | None
    limits: Limits
    tls: ssl.SSLContext | None

    def run(self, build: Build, listening: socket.socket, team: Workers | None, ready: Ready) -> int:
        """Serve until SIGTERM; returns the exit status. Raises Failure when it cannot begin."""

        async def serve() -> int:
            log, metrics = AccessLog(self.log), Metrics(self.name)
            server = Server(build(self.name, metrics), listening, log, metrics, self.limits, self.tls, team)
            await server.run(lambda address: ready(self.name, address))
            return int(server.failed)

        return asyncio.run(serve())
