"""Fixtures: daemons and scripted origins that end with the test."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.nodes.wirekit import Daemon, ScriptedOrigin


@pytest.fixture
def start() -> Iterator[Callable[..., Daemon]]:
    """Start daemons that end with the test."""
    running: list[Daemon] = []

    def make(kind: str, *arguments: str, **popen: Any) -> Daemon:
        running.append(Daemon(kind, *arguments, **popen))
        return running[-1]

    yield make
    for daemon in running:
        daemon.process.kill()
        daemon.process.communicate()


@pytest.fixture
def script() -> Iterator[Callable[..., ScriptedOrigin]]:
    """Scripted origins that end with the test."""
    running: list[ScriptedOrigin] = []

    def make(what: Callable[[str, socket.socket], bool | None]) -> ScriptedOrigin:
        running.append(ScriptedOrigin(what))
        return running[-1]

    yield make
    for origin in running:
        origin.close()


@pytest.fixture
def edge_for(start: Callable[..., Daemon], tmp_path: Path) -> Callable[..., Daemon]:
    """An edge named `edge1` in front of an origin's URL, with a cache of its own."""

    def make(url: str, *more: str, capacity: str = "64MiB", name: str = "edge1", **popen: Any) -> Daemon:
        return start("edge", "--origin", url, "--cache", str(tmp_path / "cache"), "--capacity", capacity,
                     "--name", name, *more, **popen)  # fmt: skip

    return make


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One origin for a module of tests, with a folder of files."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "hello.txt").write_bytes(b"hello, world\n")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 4096)
    (folder / "below").mkdir()
    (folder / "escape").symlink_to("/etc/hostname")
    (folder / "inside").symlink_to("hello.txt")
    daemon = Daemon("origin", "--files", str(folder), "--log", str(folder.parent / "origin.jsonl"))
    yield daemon
    daemon.process.kill()
    daemon.process.communicate()


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One server of `wire_app.py` for a module of tests."""
    daemon = Daemon("tests.nodes.wire_app", "--name", "wire1", "--log", str(tmp_path_factory.mktemp("wire") / "log.jsonl"))
    yield daemon
    daemon.process.kill()
    daemon.process.communicate()
