"""memcached as a node: its ways of keeping values, its faults at the start, and how it ends."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from nodes.http.failure import Failure
from nodes.memcached.command import MIB, Wish, arguments, wrong
from nodes.programs import program

try:
    program("memcached", "memcached")
except Failure:
    pytest.skip("memcached is not here: sudo ./provision.sh --peers", allow_module_level=True)

SSD = ("--ssd-size", "128MiB", "--memory", "16MiB")


def say(port: int, commands: bytes, until: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(commands)
        heard = b""
        while not heard.endswith(until):
            heard += sock.recv(1 << 20)
    return heard


def stat(port: int, name: str) -> int:
    heard = say(port, b"stats\r\n", b"END\r\n").decode()
    return int(heard.split(f"STAT {name} ")[1].split()[0])


def fill(port: int, count: int, first: int = 0) -> None:
    value = os.urandom(8000)
    for at in range(first, first + count, 100):
        say(port, b"".join(b"ms key%d 8000 q\r\n%b\r\n" % (n, value) for n in range(at, at + 100)) + b"mn\r\n", b"MN\r\n")


def missing(port: int, count: int) -> list[int]:
    """The numbers of the keys that are not there."""
    heard = say(port, b"".join(b"mg key%d s\r\n" % n for n in range(count)) + b"mn\r\n", b"MN\r\n").splitlines()
    return [number for number in range(count) if heard[number] != b"HD s8000"]


@pytest.mark.parametrize(
    ("options", "on_ssd"),
    [((), False), (("--store", "ssd", "--ssd", "SSD", *SSD), True), (("--store", "ram-over-ssd", "--ssd", "SSD", *SSD), True)],
)
def test_where_values_are_kept(start, tmp_path, options: tuple[str, ...], on_ssd: bool) -> None:
    daemon = start("memcached", *(str(tmp_path / "ext") if one == "SSD" else one for one in options))
    count = 3000 if on_ssd else 300  # 24 MB in 16 MiB of memory
    fill(daemon.port, count)
    if on_ssd:
        deadline = time.monotonic() + 5
        while stat(daemon.port, "extstore_objects_written") == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert stat(daemon.port, "extstore_bytes_written") > 0
    deadline = time.monotonic() + 10
    while len(lost := missing(daemon.port, count)) >= 0.1 * count:  # memory evicts what comes faster than the file takes it
        assert on_ssd
        assert time.monotonic() < deadline
        for number in lost[::100]:
            fill(daemon.port, 100, number)
            time.sleep(0.02)


def test_a_full_file_gives_up_its_oldest_page_and_goes_on(start, tmp_path) -> None:
    daemon = start("memcached", "--store", "ssd", "--ssd", str(tmp_path / "ext"), *SSD)
    count, deadline = 0, time.monotonic() + 10
    while stat(daemon.port, "extstore_page_evictions") == 0:
        assert time.monotonic() < deadline, f"{stat(daemon.port, 'extstore_bytes_written')} bytes, and no page was given up"
        if stat(daemon.port, "extstore_objects_written") + stat(daemon.port, "evictions") >= count - 500:
            fill(daemon.port, 500, count)  # no faster than the file takes them, or memory would evict them first
            count += 500
    heard = say(daemon.port, b"".join(b"mg key%d s\r\n" % n for n in range(count - 200, count)) + b"mn\r\n", b"MN\r\n")
    assert heard.count(b"HD s8000") == 200


def test_it_ends_with_its_starter_and_on_sigterm_even_when_paused(start) -> None:
    first, second = start("memcached"), start("memcached")
    os.kill(first.ready["pid"], signal.SIGSTOP)
    assert first.stop() == (0, "")
    second.process.kill()
    second.process.wait()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{second.ready['pid']}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_its_own_end_is_told(start) -> None:
    daemon = start("memcached")
    os.kill(daemon.ready["pid"], signal.SIGKILL)
    _, errors = daemon.process.communicate(timeout=5)
    assert (daemon.process.returncode, errors) == (
        1, "longhaul: could not go on: memcached ended by itself with status -9; read what it said above\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--store", "ssd"), "--store ssd needs --ssd FILE and --ssd-size SIZE"),
        (("--ssd", "/x"), "--store ram uses no --ssd file"),
        (("--store", "ssd", "--ssd", "/nowhere/x", "--ssd-size", "128MiB"), "could not write the SSD file /nowhere/x: no such"),
        (("--store", "ssd", "--ssd", "HERE", "--ssd-size", "1MiB"), "below 128 MiB"),
        (("--store", "ssd", "--ssd", "HERE", "--ssd-size", "900TiB"), "are free there; choose a smaller --ssd-size"),
        (("--memory", "1MiB"), "below 8 MiB"),
        (("--memory", "64"), "no unit"),
    ],
)
def test_a_start_that_cannot_be_says_why(start, tmp_path, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(AssertionError) as caught:
        start("memcached", *(str(tmp_path / "ext") if one == "HERE" else one for one in options))
    assert words in str(caught.value)


def test_a_port_in_use_is_told(start) -> None:
    held = start("memcached")
    with pytest.raises(AssertionError, match="address already in use"):
        start("memcached", "--listen", held.ready["listen"])


def test_what_memcached_is_told() -> None:
    wish = Wish("127.0.0.1", 1, "ram", 64 * MIB, None, 0, 1, 100)
    assert "-o" not in arguments(wish, None)
    assert arguments(wish, "root")[-2:] == ["-u", "root"]
    both = Wish("127.0.0.1", 1, "ram-over-ssd", 64 * MIB, Path("/a"), 256 * MIB, 1, 100)
    assert arguments(both, None)[-1].endswith("ext_path=/a:256m")
    assert "commas" in wrong(Wish("127.0.0.1", 1, "ssd", 64 * MIB, Path("/a,b"), 256 * MIB, 1, 100))
