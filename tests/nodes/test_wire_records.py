"""Prepared answers, and what is kept of every request: its line in the log, its numbers, its duration."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import time

import pytest

from tests.nodes.wire_dialogues import get
from tests.nodes.wirekit import Answer, Daemon, listen, raw


def records(daemon: Daemon) -> list[dict[str, object]]:
    """The log, written up to now."""
    daemon.get("/-/metrics")
    return [json.loads(line) for line in daemon.log.read_text(encoding="utf-8").splitlines()]


def numbers(daemon: Daemon) -> dict[str, float]:
    lines = daemon.get("/metrics").body.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("path", ["/prepared?100", "/now?100", "/file-prepared?70000", "/file-now?70000",
                                  "/file-prepared?8000000"])  # fmt: skip
def test_a_prepared_answer_has_its_record_its_numbers_and_its_duration(wire: Daemon, path: str) -> None:
    before, kept = numbers(wire), len(records(wire))
    given = int(wire.get("/given").body)
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as sock:
        for number in range(5):
            sock.sendall(get(path, f"X: {path}"))
            size = int(path.partition("?")[2])
            got = listen(sock, b"\r\n\r\n")
            while len(got.partition(b"\r\n\r\n")[2]) < size:
                got += sock.recv(1 << 20)
            assert f"X-Path: {path.partition('?')[0]}\r\n".encode() in got, number
    after = numbers(wire)
    node = 'node="wire1"'
    hits = f'longhaul_requests_total{{{node},status="200",result="TCP_HIT"}}'
    assert after[hits] - before.get(hits, 0) == 5
    assert int(wire.get("/given").body) - given == 5
    counted = f"longhaul_request_duration_seconds_count{{{node}}}"
    total = sum(value for name, value in after.items() if name.startswith("longhaul_requests_total"))
    assert after[counted] == total
    made = [one for one in records(wire)[kept:] if one["target"] == path]
    assert len(made) == 5
    assert len({one["request_id"] for one in made}) == 5
    for one in made:
        assert one["bytes"] == int(path.partition("?")[2])
        assert (one["status"], one["result"], one["cache_status"], one["finished"]) == (200, "TCP_HIT", "wire1; hit", True)
        assert (one["node"], one["engine"], one["method"]) == ("wire1", "longhaul", "GET")
        assert 0 < one["first_byte_ms"] <= one["duration_ms"] < 1000
        assert abs(one["ts_ns"] - time.time_ns()) < 60e9
        assert re.fullmatch(r"127\.0\.0\.1:\d+", str(one["client"]))
    other = next(one for one in records(wire) if one["target"] == "/given")
    assert set(other) == set(made[0])


def test_a_prepared_answer_is_given_until_it_is_dropped(wire: Daemon) -> None:
    def made(*more: bytes) -> list[str]:
        heard = raw(wire.port, get("/prepared/x?7") + b"".join(more) + get("/status/201", "Connection: close"))
        return re.findall(r"X-Made: (\d+)", heard.decode())

    first = made(get("/prepared/x?7"), get("/prepared/x?7"))
    assert len(first) == 3
    assert len(set(first)) == 1
    assert made() == first[:1]
    assert len({*first, *made(get("/drop/prepared/x"), get("/prepared/x?7"))}) == 2


def test_an_answer_is_renewed_when_its_time_is_over_and_judged_anew_when_it_cannot_be(wire: Daemon) -> None:
    seen: list[tuple[str, str]] = []
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as sock:
        while len(seen) < 6:
            sock.sendall(get("/renewed?3"))
            heard = Answer(listen(sock, b"yyy"))
            now = (heard.fields["x-made"], heard.fields["x-renewed"])
            if now not in seen:
                seen.append(now)
            time.sleep(0.01)
    assert [renewed for _, renewed in seen] == ["0", "1", "2", "3", "0", "1"]
    assert len({made for made, _ in seen}) == 2


def test_a_client_that_leaves_in_the_middle_is_recorded_as_unfinished(wire: Daemon) -> None:
    for path in ("/file-now?8388608", "/file"):
        with socket.socket() as sock:
            sock.settimeout(5)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before it connects: the sender's buffer grows with it
            sock.connect(("127.0.0.1", wire.port))
            sock.sendall(get(path))
            sock.recv(1000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        time.sleep(0.1)
        record = next(one for one in reversed(records(wire)) if one["target"] == path)
        assert record["finished"] is False
        assert 0 < record["bytes"] < 8388608
        assert record["error"] == "the client left"


def test_a_record_is_late_by_a_fifth_of_a_second_at_most(wire: Daemon) -> None:
    wire.get("/status/200?late")
    time.sleep(0.5)
    assert "/status/200?late" in wire.log.read_text(encoding="utf-8")


def test_health_and_metrics_have_a_reserved_place_too(wire: Daemon) -> None:
    for path in ("/healthz", "/-/healthz"):
        assert wire.get(path).body == b"ok\n"
    for path in ("/metrics", "/-/metrics"):
        text = wire.get(path).body.decode()
        assert "# TYPE longhaul_requests_total counter" in text
        assert 'longhaul_request_duration_seconds_bucket{node="' in text
    assert wire.get("/-/nothing").status == 404


def test_no_two_requests_of_a_log_have_one_name(wire: Daemon) -> None:
    """Some are answered in the round that reads them, some behind another one, all in one round."""
    one, kept = get("/prepared?100", "X: names"), len(records(wire))
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(("127.0.0.1", wire.port), timeout=5)) for _ in range(6)]
        for sock in socks:
            sock.sendall(one)
            assert listen(sock, b"\r\n\r\n")
        time.sleep(0.1)
        wire.process.send_signal(signal.SIGSTOP)
        for number, sock in enumerate(socks):
            sock.sendall(one * (1 + number % 2))
        wire.process.send_signal(signal.SIGCONT)
        for number, sock in enumerate(socks):
            got = b""
            while got.count(b"HTTP/1.1 200") <= number % 2:
                got += sock.recv(65536)
    made = [one["request_id"] for one in records(wire)[kept:] if one["target"] == "/prepared?100"]
    assert len(set(made)) == len(made) == 6 + 9
