"""The measured client: what a fetch reports, and what it never does."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from nodes.client.fetch import Fetcher
from nodes.client.order import Order, OrderError, parse
from nodes.origin.generate import sha256
from tests.nodes.wirekit import ENV, Daemon, ScriptedOrigin, ok

STEPS = ("dns_ms", "connect_ms", "request_sent_ms", "first_byte_ms", "total_ms")


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    made = Fetcher()
    yield made
    made.close()


def test_every_step_is_a_time_since_the_start(origin: Daemon, fetcher: Fetcher) -> None:
    before_ns = time.time_ns()
    result = fetcher.fetch(Order(f"{origin.url}/objects/300KB/a?think=50ms", expect_sha256=sha256("a", 300_000).hex()))
    assert (result.ok, result.error, result.http_status, result.http_version) == (True, None, 200, "1.1")
    assert (result.size_bytes, result.digest_ok, result.sha256) == (300_000, True, sha256("a", 300_000).hex())
    times = [getattr(result, step) for step in STEPS]
    assert times == sorted(times)
    assert result.first_byte_ms is not None
    assert 50 <= result.first_byte_ms < 100
    assert before_ns <= result.started_ns <= time.time_ns()
    assert result.headers["server-timing"] == "think;dur=50"
    assert result.remote == origin.ready["listen"]


def test_new_is_new_and_reuse_is_reused(origin: Daemon, fetcher: Fetcher) -> None:
    url = f"{origin.url}/objects/1KB/a"
    results = [fetcher.fetch(Order(url, connection=kind)) for kind in ("reuse", "new", "reuse", "new")]
    assert [result.new_connection for result in results] == [True, True, False, True]
    assert results[0].local_port == results[2].local_port
    assert results[2].connect_ms == 0
    assert len({results[0].local_port, results[1].local_port, results[3].local_port}) == 3


def test_the_kernel_tells_about_the_connection_new_or_kept(origin: Daemon, fetcher: Fetcher) -> None:
    for kind in ("new", "reuse", "reuse"):
        info = fetcher.fetch(Order(f"{origin.url}/objects/1MB/a", connection=kind, congestion_control="reno")).tcp_info
        assert info is not None
        assert info["congestion_control"] == "reno"
        assert 0 < info["rtt_us"] < 100_000
        assert info["snd_cwnd"] >= 1
        assert info["snd_mss"] > 500


def test_a_new_connection_is_really_closed_afterwards(script: Callable[..., ScriptedOrigin], fetcher: Fetcher) -> None:
    ended: list[float] = []

    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(ok(b"x"))
        sock.settimeout(2)
        assert sock.recv(1) == b""
        ended.append(time.monotonic())
        return False

    fetcher.fetch(Order(f"{script(answer).url}/x"))
    deadline = time.monotonic() + 2
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended


def test_failures_are_results_in_words(origin: Daemon, script: Callable[..., ScriptedOrigin], fetcher: Fetcher) -> None:
    def cut(head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False

    with socket.create_server(("127.0.0.1", 0)) as held:
        nobody = f"http://127.0.0.1:{held.getsockname()[1]}/"
    cases = {
        nobody: "connect", f"{script(cut).url}/x": "bytes", f"{origin.url}/none": "404",
        f"{origin.url}/objects/1KB/a?think=2s": "timed out",
    }  # fmt: skip
    for url, word in cases.items():
        result = fetcher.fetch(Order(url, timeout_s=0.2))
        assert not result.ok
        assert result.error is not None
        assert word in result.error
    wrong = fetcher.fetch(Order(f"{origin.url}/objects/1KB/a", expect_sha256="0" * 64))
    assert (wrong.ok, wrong.digest_ok) == (False, False)
    refused = fetcher.fetch(Order(f"{origin.url}/objects/1KB/a", congestion_control="warp"))
    assert refused.error is not None
    assert refused.error.startswith("could not use congestion control 'warp'")


def test_no_proxy_of_the_environment_is_used(origin: Daemon) -> None:
    env = {**ENV, "http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    command = [sys.executable, "-m", "nodes.client", f"{origin.url}/objects/1KB/a", "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=10)
    assert json.loads(done.stdout)["ok"]


def test_a_name_can_be_given_its_address(origin: Daemon, fetcher: Fetcher) -> None:
    where = f"origin1.az1.virginia:{origin.port}"
    result = fetcher.fetch(Order(f"http://{where}/objects/1KB/a", resolve={where: "127.0.0.1"}))
    assert result.ok


def test_a_worker_answers_each_order_with_one_line(origin: Daemon) -> None:
    orders = [{"url": f"{origin.url}/objects/1KB/a", "connection": "reuse", "id": 1}, {"url": "ftp://x"},
              {"url": f"{origin.url}/objects/1KB/a", "connection": "reuse", "id": [2]}]  # fmt: skip
    said = "".join(json.dumps(order) + "\n" for order in orders) + "not json\n\n"
    done = subprocess.run([sys.executable, "-m", "nodes.client", "--worker"], input=said, env=os.environ | ENV,
                          capture_output=True, text=True, check=True, timeout=10)  # fmt: skip
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["ok"] for result in results] == [True, False, True, False]
    assert [result["id"] for result in results] == [1, None, [2], None]
    assert not results[2]["new_connection"]
    assert "neither http:// nor https://" in results[1]["error"]


def test_a_table_for_a_person_and_status_1_when_one_fails(origin: Daemon) -> None:
    command = [sys.executable, "-m", "nodes.client", f"{origin.url}/objects/1KB/a", "--repeat", "2", "--reuse"]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, check=True, timeout=10)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["conn", "new", "reused"]
    failed = subprocess.run([*command, f"{origin.url}/none"], env=ENV, capture_output=True, text=True, check=False,
                            timeout=10)  # fmt: skip
    assert failed.returncode == 1
    assert "could not fetch" in failed.stderr


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({}, "no url"), ({"url": "http://a", "conection": "new"}, "conection"), ([], "object"),
        ({"url": "http://a", "connection": "old"}, "'old'"), ({"url": "http://a", "timeout_s": 0}, "timeout_s"),
        ({"url": "http://a", "timeout_s": True}, "timeout_s"), ({"url": "http://a", "expect_sha256": "ab"}, "64"),
        ({"url": "http://a", "headers": {"A": "b\r\nC: d"}}, "line break"),
        ({"url": "http://a", "headers": []}, "headers"),
        ({"url": "https://a", "tls_version": "1.1"}, "tls_version"),
        ({"url": "https://a", "tls_session": "old"}, "tls_session"),
        ({"url": "https://a", "cacert": 1}, "cacert"), ({"url": "https://a", "insecure": "no"}, "insecure"),
        ({"url": "http://a", "http_version": "4"}, "http_version"), ({"url": "http://a", "method": "PUT"}, "PUT"),
    ],
)  # fmt: skip
def test_an_order_that_is_half_understood_is_refused(order: object, word: str) -> None:
    with pytest.raises(OrderError, match=word):
        parse(json.dumps(order))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, str]]:
    """An origin with TLS and the file of its authority."""
    folder = tmp_path_factory.mktemp("ca")
    daemon = Daemon("origin", "--tls-authority", str(folder), "--name", "origin1.az1.virginia")
    yield daemon, str(folder / "ca.pem")
    daemon.process.kill()
    daemon.process.communicate()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_tls_handshake_has_its_time_and_its_version(secured: tuple[Daemon, str], fetcher: Fetcher, version: str) -> None:
    daemon, authority = secured
    url = f"https://{daemon.ready['listen']}/objects/300KB/a"
    result = fetcher.fetch(Order(url, cacert=authority, tls_version=version, expect_sha256=sha256("a", 300_000).hex()))
    assert (result.ok, result.error, result.tls_version, result.tls_session_offered) == (True, None, version, False)
    assert result.connect_ms is not None
    assert result.tls_ms is not None
    assert result.request_sent_ms is not None
    assert result.connect_ms < result.tls_ms <= result.request_sent_ms


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_is_resumed_when_the_order_says_so(secured: tuple[Daemon, str], fetcher: Fetcher, version: str) -> None:
    daemon, authority = secured
    url = f"https://{daemon.ready['listen']}/objects/1KB/a"
    kinds = ("new", "reuse", "reuse", "new", "reuse")
    results = [fetcher.fetch(Order(url, cacert=authority, tls_version=version, tls_session=kind)) for kind in kinds]
    assert [result.ok for result in results] == [True] * 5
    assert [result.tls_session_offered for result in results] == [False, False, True, False, True]
    assert [result.tls_session_resumed for result in results] == [False, False, True, False, True]
    assert {result.new_connection for result in results} == {True}


def test_a_kept_tls_connection_makes_no_handshake(secured: tuple[Daemon, str], fetcher: Fetcher) -> None:
    daemon, authority = secured
    order = Order(f"https://{daemon.ready['listen']}/objects/1KB/a", connection="reuse", cacert=authority)
    first, second = fetcher.fetch(order), fetcher.fetch(order)
    assert (first.new_connection, second.new_connection) == (True, False)
    assert (second.tls_ms, second.tls_version, second.tls_session_offered) == (0, None, None)


def test_a_server_that_cannot_be_verified_is_a_result_in_words(secured: tuple[Daemon, str], fetcher: Fetcher) -> None:
    daemon, authority = secured
    url = f"https://{daemon.ready['listen']}/objects/1KB/a"
    stranger = fetcher.fetch(Order(url))
    assert not stranger.ok
    assert "certificate" in (stranger.error or "")
    where = f"elsewhere:{daemon.port}"
    wrong = fetcher.fetch(Order(f"https://{where}/x", cacert=authority, resolve={where: "127.0.0.1"}))
    assert "elsewhere" in (wrong.error or "")
    assert fetcher.fetch(Order(url, insecure=True)).ok
    named = f"origin1.az1.virginia:{daemon.port}"
    assert fetcher.fetch(Order(f"https://{named}/objects/1B/a", cacert=authority, resolve={named: "127.0.0.1"})).ok
