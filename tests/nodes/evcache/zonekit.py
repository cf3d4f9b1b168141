"""A stage for tests of the cache: its memcached processes by zone, its source of truth, and caches in front of them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodes.evcache.cache import EVCache
from nodes.evcache.node_list import parse
from nodes.evcache.settings import Settings
from nodes.evcache.truth_client import TruthClient
from nodes.http.origin_address import Origin, parse_origin
from tests.nodes.evcache.cuttable import Way
from tests.nodes.wirekit import Daemon


@dataclass
class Stage:
    """Ends with the test."""

    memcached: dict[str, list[Daemon]]
    truth: Daemon | None
    start: Callable[..., Daemon]

    @property
    def nodes(self) -> str:
        """EVCache's list."""
        return "TEST-NODES=" + ";".join(
            f"{zone}=" + ",".join(one.ready["listen"] for one in some) for zone, some in self.memcached.items()
        )

    async def ways(self) -> dict[str, Way]:
        """To each zone a way that can be cut, for caches that are told of it. Zones have one node."""
        return {zone: await Way("127.0.0.1", some[0].port).begin() for zone, some in self.memcached.items()}

    def cache(
        self, *, regions: dict[str, Origin] | None = None, ways: dict[str, Way] | None = None, **settings: Any
    ) -> EVCache:  # fmt: skip
        """One client, in zone0 unless it is said otherwise. Inside a running loop."""
        wish = Settings(**{"namespace": "t", "local_zone": "zone0", "jitter": 0.0, "read_s": 0.1, "write_s": 1.0} | settings)
        truth = None if self.truth is None else TruthClient(parse_origin(self.truth.url), wish.write_s)
        through = ";".join(f"{zone}=127.0.0.1:{way.port}" for zone, way in (ways or {}).items())
        return EVCache(parse(f"TEST-NODES={through}" if ways else self.nodes), wish, truth, regions=regions)

    def play(self, dialogue: Callable[..., Awaitable[None]], *caches: dict[str, Any]) -> None:
        """Run a dialogue with one cache for each dictionary of settings; one without any by default."""

        async def main() -> None:
            made = [self.cache(**settings) for settings in caches or ({},)]
            try:
                await dialogue(*made)
            finally:
                for cache in made:
                    await cache.close()

        asyncio.run(main())

    def pause(self, zone: str) -> None:
        """SIGSTOP, by process id. The thread that hears it stops the others, so on a busy machine it takes a moment."""
        pid = self.memcached[zone][0].ready["pid"]
        os.kill(pid, signal.SIGSTOP)
        while {task.read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").glob("*/stat")} != {"T"}:
            time.sleep(0.001)

    def go_on(self, zone: str) -> None:
        """SIGCONT."""
        os.kill(self.memcached[zone][0].ready["pid"], signal.SIGCONT)

    def kill(self, zone: str) -> None:
        """SIGKILL; its memory is lost."""
        os.kill(self.memcached[zone][0].ready["pid"], signal.SIGKILL)
        self.memcached[zone][0].process.wait(10)

    def revive(self, zone: str) -> None:
        """A new memcached where the killed one was."""
        self.memcached[zone][0] = self.start("memcached", "--listen", self.memcached[zone][0].ready["listen"])

    def pause_truth(self) -> None:
        """SIGSTOP."""
        self.truth.process.send_signal(signal.SIGSTOP)

    def truth_goes_on(self) -> None:
        """SIGCONT."""
        self.truth.process.send_signal(signal.SIGCONT)

    def restart_truth(self) -> None:
        """SIGKILL, also to a paused one, which then never does what it has been told; and a new one over the same rows."""
        self.truth.process.kill()
        self.truth.process.wait(10)
        listen, database = self.truth.ready["listen"], self.truth.process.args[-1]
        self.truth = self.start("truth", "--listen", listen, "--database", database)

    def say(self, zone: str, command: bytes, node: int = 0) -> bytes:
        """What memcached itself answers."""
        with socket.create_connection(("127.0.0.1", self.memcached[zone][node].port), timeout=5) as sock:
            sock.sendall(command + b"mn\r\n")
            heard = b""
            while not heard.endswith(b"MN\r\n"):
                heard += sock.recv(1 << 20)
        return heard.removesuffix(b"MN\r\n")


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Look every 10 ms. Raises AssertionError."""
    deadline_s = asyncio.get_running_loop().time() + within_s
    while not true():
        assert asyncio.get_running_loop().time() < deadline_s, "it did not become true"
        await asyncio.sleep(0.01)
