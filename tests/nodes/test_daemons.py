"""Starting and stopping, for every daemon: options, errors, signals."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.origin.generate import content
from nodes.registry import daemons, run
from tests.nodes.wirekit import ENV, Answer, Daemon, hear


def outcome(kind: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", f"nodes.{kind}", *arguments], env=ENV, capture_output=True, text=True,
                          timeout=10, check=False)  # fmt: skip
    return done.returncode, done.stderr


def test_daemons_are_found_by_their_folders() -> None:
    found = daemons()
    assert {"origin", "edge", "client"} <= set(found)
    assert "http" not in found
    assert all(len(text) > 20 for text in found.values())


def test_an_unknown_daemon_is_2_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("egde", []) == 2
    assert "edge" in capsys.readouterr().err


@pytest.mark.parametrize("kind", sorted(daemons()))
def test_help_shows_an_example(kind: str) -> None:
    command = [sys.executable, "-m", f"nodes.{kind.replace('-', '_')}", "--help"]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=10, check=True)
    assert f"example:\n  longhaul node {kind} " in done.stdout


def test_a_port_in_use_says_so_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        status, errors = outcome("origin", "--listen", f"127.0.0.1:{port}")
    assert status == 1
    assert errors == (f"longhaul: could not listen on 127.0.0.1:{port}: address already in use; "
                      "choose another --listen or end the process that holds it\n")  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("origin", ["--think", "40"], ["--think", "'40'", "no unit"]),
        ("origin", ["--think=-1ms"], ["--think", "below zero"]),
        ("origin", ["--rate", "0mbit"], ["--rate", "above zero"]),
        ("origin", ["--listen", "8080"], ["--listen", "'8080'", "HOST:PORT"]),
        ("origin", ["--listen", "127.0.0.1:99999"], ["--listen", "99999"]),
        ("origin", ["--files", "/nowhere"], ["--files", "/nowhere", "not a folder"]),
        ("origin", ["--name", "a b"], ["--name", "'a b'"]),
        ("edge", ["--name", "mumbai/1"], ["--name", "'mumbai/1'", "letters, digits and . - _"]),
        ("origin", ["--cache-control", "a\r\nb"], ["--cache-control"]),
        ("origin", ["--congestion-control", "warp"], ["'warp'", "choose one of", "cubic"]),
        ("origin", ["--wrong"], ["--wrong", "--help"]),
        ("edge", ["--cache", "CACHE", "--capacity", "10"], ["--capacity", "no unit"]),
        ("edge", ["--cache", "CACHE", "--capacity", "0B"], ["--capacity", "above zero"]),
        ("edge", ["--cache", "CACHE", "--capacity", "1MiB", "--origin", "ftp://x"], ["--origin", "ftp://x", "http://"]),
        ("edge", ["--cache", "CACHE", "--capacity", "1MiB"], ["start the edge: no --origin is given; give --origin URL"]),
        ("edge", ["--cache", "CACHE", "--capacity", "1MiB", "--rules", "/nowhere"], ["/nowhere", "--rules"]),
        ("edge", ["--capacity", "1MiB"], ["--cache"]),
        ("edge", ["--capacity", "1MiB", "--cache", ""], ["--cache", "'' is no folder"]),
        ("origin", ["--workers", "1000000"], ["--workers", "'1000000' is not a number between 1 and 256"]),
        ("origin", ["--workers", "0"], ["--workers", "'0' is not a number between 1 and 256"]),
        ("origin", ["--workers", "two"], ["--workers", "'two' is not a number"]),
        ("client", [], ["no URL"]),
        ("client", ["ftp://x"], ["ftp://x", "http://"]),
    ],
)
def test_a_configuration_error_names_option_value_and_what_is_allowed(
    kind: str, arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    status, errors = outcome(kind, *(str(tmp_path) if one == "CACHE" else one for one in arguments))
    assert status == 2
    assert errors.startswith("longhaul: could not ")
    assert "Traceback" not in errors
    for word in words:
        assert word in errors


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    status, errors = outcome("origin", "--log", str(tmp_path / "none" / "log"))
    assert status == 1
    assert "--log" in errors


def test_sigterm_finishes_what_is_being_served(start: Callable[..., Daemon]) -> None:
    daemon = start("origin")
    daemon.get("/healthz")  # a connection that was open and is closed
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(b"GET /objects/300KB/x?rate=4mbit HTTP/1.1\r\nHost: a\r\n\r\n")
        first = sock.recv(1000)
        stopper = threading.Thread(target=daemon.process.send_signal, args=(signal.SIGTERM,))
        stopper.start()
        answer = Answer(first + hear(sock))
    assert answer.body == content("x", 300_000, 0, 300_000)
    assert daemon.process.wait(timeout=5) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", daemon.port))


def test_sigterm_does_not_wait_for_idle_connections(start: Callable[..., Daemon]) -> None:
    daemon = start("origin")
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1000)
        before = time.monotonic()
        assert daemon.stop() == (0, "")
    assert time.monotonic() - before < 2


def test_the_kernel_uses_the_congestion_control_that_was_asked(start: Callable[..., Daemon]) -> None:
    start("origin", "--congestion-control", "reno")


def test_starting_is_quick() -> None:
    took = []
    for _ in range(3):
        before = time.monotonic()
        subprocess.run([sys.executable, "-c", "import nodes.edge.main"], env=ENV, check=True)
        took.append(time.monotonic() - before)
    assert min(took) < 1.0  # a quarter second on an idle machine; others may be building beside us
