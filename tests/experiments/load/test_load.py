"""Loads for benchmarks: what wrk says, the paced client against servers that stall, whose processor time it was."""

import contextlib
import socket
import threading
import time

import pytest

from experiments.harness.load import paced, turns, wrk
from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import LoadError, TooSlowError
from experiments.harness.load.quiet import Reading, engine_share, foreign_share
from experiments.harness.load.turns import Patience, Turns, undisturbed

SAID = """Running 2s test @ http://127.0.0.1:9/x
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   171.55us   32.17us   1.05ms   88.40%
    Req/Sec    92.88k     2.62k   95.06k    90.48%
  193967 requests in 2.10s, 244.93MB read
{}Requests/sec:  92365.73
Transfer/sec:    116.63MB
"""


def test_wrk_says_requests_and_bytes_each_second():
    assert wrk.parse(SAID.format("")) == wrk.Rate(92365.73, 116.63 * 2**20)
    assert wrk.parse(SAID.format("").replace("116.63MB", "2.50GB")).bytes_per_s == 2.5 * 2**30
    assert wrk.parse(SAID.format("").replace("116.63MB", "512.00B")).bytes_per_s == 512


@pytest.mark.parametrize("error", ["  Socket errors: connect 0, read 3, write 0\n", "  Non-2xx or 3xx responses: 7\n"])
def test_a_rate_with_failed_requests_is_none(error):
    with pytest.raises(LoadError, match=error.strip().replace(":", ".")):
        wrk.parse(SAID.format(error))


def test_what_is_no_rate_is_an_error():
    with pytest.raises(LoadError, match="has no rate"):
        wrk.parse("unable to connect")


class Server:
    """Answers each request with 100 bytes; stands still once, for `stall_s`, behind `after` requests."""

    def __init__(self, stall_s: float = 0.0, after: int = 0, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"):
        self.stall_s, self.after, self.head, self.seen = stall_s, after, head, 0
        self.lock = threading.Lock()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock, contextlib.suppress(ConnectionError):  # a client may leave whenever it likes
            while sock.recv(4096):
                with self.lock:
                    self.seen += 1
                    if self.stall_s and self.seen == self.after:
                        time.sleep(self.stall_s)
                sock.sendall(self.head + bytes(100))


def test_a_stall_delays_everything_that_was_due_meanwhile():
    server = Server(stall_s=0.2, after=100)
    found = paced.drive("127.0.0.1", server.port, "/", 500.0, 1.0, 2)
    server.listening.close()
    assert found.rate_per_s == pytest.approx(500, rel=0.1), "who waited for answers would have sent a fifth less"
    assert found.most_us > 190_000
    assert found.p99_us > 150_000, "100 of 500 requests were due during the stall; the slowest 5 waited nearly all of it"
    assert found.p50_us < 50_000
    assert found.late_p99_us < 100_000, "waiting for a connection is the server's lateness, not the client's"


def test_an_error_of_the_server_is_no_latency():
    server = Server(head=b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\n")
    with pytest.raises(LoadError, match="500 Oops"):
        paced.drive("127.0.0.1", server.port, "/", 100.0, 0.1, 1)
    server.listening.close()


def test_a_rate_that_was_not_reached_is_an_error():
    server = Server(stall_s=3, after=3)
    with pytest.raises(LoadError, match="were answered"):
        paced.measure("127.0.0.1", server.port, "/", 1000.0, 0.2, 1, "0-63")
    server.listening.close()


def test_what_others_used_is_what_is_neither_the_engines_nor_ours():
    before = Reading(at_s=10.0, busy_s=100.0, engine_s=5.0, own_s=1.0)
    after = Reading(at_s=12.0, busy_s=103.5, engine_s=6.5, own_s=2.8)
    assert engine_share(before, after) == pytest.approx(0.75)
    assert foreign_share(before, after) == pytest.approx(0.1)


class Still:
    """An engine that is none."""

    beside = ()

    def __init__(self, kind):
        self.kind = kind

    def cpu_s(self):
        return 0.0


def test_engines_take_turns_and_change_who_begins():
    order = []

    def run(engine):
        order.append(engine.kind)
        return float(len(order)), ""

    samples = Turns(Still("ours"), Still("peer"), 3, Patience(0)).take(run, "what", "s", None)
    assert order == ["peer", "ours", "ours", "peer", "peer", "ours"]
    assert (samples.ours, samples.peer) == ((2.0, 3.0, 6.0), (1.0, 4.0, 5.0))


def test_a_disturbed_run_is_repeated_until_patience_ends_and_is_then_said_to_be_disturbed(capsys, monkeypatch):
    monkeypatch.setattr(turns, "PAUSE_S", 0)
    values = iter(range(100))
    patience = Patience(3)

    def run(engine):
        return float(next(values)), ""

    assert undisturbed(Still("ours"), run, "s", 1e9, patience) == (0.0, True)
    assert undisturbed(Still("ours"), run, "s", -1e9, patience) == (4.0, False), "the fourth attempt is the last"
    assert undisturbed(Still("ours"), run, "s", -1e9, patience) == (5.0, False)
    assert capsys.readouterr().err.count("disturbed: others") == 5
    samples = Turns(Still("ours"), Still("peer"), 2, patience).take(run, "what", "s", -1e9)
    assert samples.warning == "4 of 4 runs disturbed by others"


def test_a_rate_not_reached_is_an_error_unless_others_disturbed_it(monkeypatch):
    monkeypatch.setattr(turns, "PAUSE_S", 0)
    outcomes = iter([TooSlowError("slow"), 7.0])

    def run(engine):
        outcome = next(outcomes)
        if isinstance(outcome, TooSlowError):
            raise outcome
        return outcome, ""

    assert undisturbed(Still("ours"), run, "s", -1e9, Patience(1)) == (7.0, False)
    outcomes = iter([TooSlowError("slow")])
    with pytest.raises(TooSlowError):
        undisturbed(Still("ours"), run, "s", 1e9, Patience(1))


def test_an_engine_is_measured_with_its_children_and_ends_with_its_block():
    with Engine("origin", cpus="0-63") as origin:
        assert origin.process.pid in origin.pids()
        assert origin.resident_bytes() > 1_000_000
        assert origin.cpu_s() > 0
        pid = origin.process.pid
    assert origin.process.returncode == 0
    assert pid


def test_an_engine_that_does_not_start_is_said():
    with pytest.raises(LoadError, match="could not start origin"):
        Engine("origin", "--listen", "nowhere", cpus="0-63")
