"""The generator against real servers: every request recorded, and none that is slow left out."""

import json
import subprocess
import sys
import threading
import time

import pytest

from tests.nodes.wirekit import ENV


def load(url, *options, status=0):
    done = subprocess.run([sys.executable, "-m", "nodes.load", "--url", url, *options], env=ENV, capture_output=True, text=True,
                          timeout=30, check=False)  # fmt: skip
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if status == 0 else done.stderr


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_request_is_recorded_with_its_times_in_order(origin, tmp_path):
    found = load(f"{origin.url}/objects/4KiB/a?think=10ms", "--rate", "100/s", "--time", "1s", "--log", str(tmp_path / "log"))
    rows = records(tmp_path / "log")
    assert found["requests"] == len(rows) > 50
    assert found["failed"] == 0
    assert found["p50_ms"] >= 10
    for row in rows:
        assert row["due_ms"] <= row["sent_ms"] <= row["first_byte_ms"] <= row["last_byte_ms"]
        assert (row["status"], row["size_bytes"], row["error"]) == (200, 4096, "")
        assert row["latency_ms"] == pytest.approx(row["last_byte_ms"] - row["due_ms"], abs=0.002)
    assert "reused" in {row["connection"] for row in rows}


@pytest.mark.slow
def test_what_a_standing_server_delays_is_not_left_out(start):
    """A server that stands still for 0.4 s of 1 s delays what was due meanwhile: 40 % of the requests, by 0.2 s on average. A
    loop that waited for answers would have seen one slow request."""
    server = start("origin")
    pause = threading.Timer(0.9, lambda: (server.process.send_signal(19), time.sleep(0.4), server.process.send_signal(18)))
    pause.start()
    found = load(f"{server.url}/objects/1KiB/a", "--arrivals", "fixed", "--rate", "100/s", "--time", "2s")
    pause.join()
    assert found["requests"] == 200
    assert found["failed"] == 0
    assert 300 < found["p99_ms"] <= 450


def test_a_closed_loop_has_as_many_requests_under_way_as_clients(origin, tmp_path):
    found = load(f"{origin.url}/objects/1KiB/a?think=50ms", "--arrivals", "closed", "--clients", "4", "--requests", "20",
                 "--log", str(tmp_path / "log"))  # fmt: skip
    rows = records(tmp_path / "log")
    assert found["requests"] == 20
    moments = [row["sent_ms"] for row in rows]
    assert max(sum(row["sent_ms"] <= at < row["last_byte_ms"] for row in rows) for at in moments) == 4
    assert len({row["connection"] for row in rows}) == 2, "each client's first is new, the rest reuse"


def test_a_burst_with_new_connections(origin, tmp_path):
    load(f"{origin.url}/objects/1KiB/{{}}", "--arrivals", "burst", "--requests", "50", "--connection", "new",
         "--log", str(tmp_path / "log"))  # fmt: skip
    rows = records(tmp_path / "log")
    assert [(row["due_ms"], row["connection"], row["error"]) for row in rows] == [(0.0, "new", "")] * 50


def test_refusals_and_silence_are_failures_with_their_reason(origin, script, tmp_path):
    refused = load("http://127.0.0.1:9/x", "--arrivals", "burst", "--requests", "2")
    assert refused["failed"] == 2
    assert "connect: " in refused["errors"]
    assert load(f"{origin.url}/objects/1KiB/a?status=503", "--arrivals", "burst", "--requests", "2")["errors"] == (
        "2 x the server answered 503")
    silent = script(lambda request, sock: time.sleep(2))
    found = load(silent.url, "--arrivals", "burst", "--requests", "2", "--timeout", "200ms")
    assert (found["failed"], found["p50_ms"]) == (2, None)
    assert "200" in found["errors"] or "0.2 s" in found["errors"]


@pytest.mark.parametrize(("options", "words"), [
    ((), "has no --rate"),
    (("--rate", "100"), "100/s"),
    (("--rate", "0/s"), "not a rate"),
    (("--arrivals", "burst"), "has no --requests"),
    (("--arrivals", "closed", "--rate", "5/s"), "means nothing beside --arrivals closed"),
    (("--rate", "5/s", "--think", "5ms"), "means nothing beside --arrivals poisson"),
    (("--rate", "5/s", "--objects", "9"), "means nothing beside a URL without {}"),
    (("--arrivals", "closed", "--clients", "0"), "not a number between 1"),
    (("--rate", "5/s", "--zipf=-1"), "within 0 and 10"),
    (("--rate", "5/s", "--time", "5"), "no unit"),
])  # fmt: skip
def test_what_cannot_be_is_refused_and_says_what_can(options, words):
    assert words in load("http://127.0.0.1:9/", *options, status=2)


def test_a_url_that_is_none_is_refused():
    assert "http://HOST:PORT" in load("ftp://x/", "--rate", "5/s", status=2)
