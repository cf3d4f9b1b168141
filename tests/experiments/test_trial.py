"""A trial counts only when everything that measured it can be trusted: one test for each reason why it does not.

The stage, the links and the captures are stand-ins here; nothing is sent and nothing sleeps.
"""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.harness import runner, trial
from experiments.harness.capture import Outcome, Overhead
from experiments.harness.daemon import StageError
from experiments.harness.faults import Faults
from experiments.harness.points import points
from experiments.harness.tcpdump import counts, problem_of
from results.captures.columns import Packets
from topologies.emulator.links.tolerance import REAL
from topologies.emulator.live import Live
from topologies.two_hosts import TwoHosts

SOUND = {"ok": True, "url": "http://server/objects/1KiB/a", "new_connection": True, "local_port": 40000, "started_ns": 0,
         "dns_ms": 0.1, "connect_ms": 80.6, "first_byte_ms": 161.0, "total_ms": 161.2, "error": None}  # fmt: skip


class Question:
    """An experiment that says what it is told to."""

    idle_paths = True
    side_by_side, bears_ms = 1, 0.0

    def __init__(self, fetched, columns=()):
        self.fetched, self.columns = fetched, columns

    def measure(self, stage, arm, number):
        return dict(self.fetched)


class View:
    """A capture with one connection, in which so many bytes are missing and so many segments were sent again."""

    def __init__(self, **found):
        self.found = found
        self.analysis = SimpleNamespace(table={"client_port": [40000]})

    def streams(self, port):
        return [0] if port == 40000 else []

    def sum(self, column, streams):
        return self.found[column] * len(streams)


@pytest.fixture
def measure(monkeypatch):
    """One trial with what the stand-ins are to say, and what its preparation makes of the link, when."""

    def run(fetched=SOUND, *, late=(), problems=("", ""), connect_ms=80.3, missing=0, clock=0.0, settings=None, words="",
            changed_ms=-2e6, columns=()):
        world = TwoHosts(**(settings or {}))

        class Captures:
            def __init__(self):
                self.outcomes = self.own = [Outcome(point, Path(f"{point.name}.pcapng"), 10, 0, problem, 2_000_000)
                                            for point, problem in zip(points(world, ("client", "server")), problems,
                                                                      strict=True)]  # fmt: skip
                self.problems = [problem for problem in problems if problem]

            def __enter__(self):
                return self

            def __exit__(self, *_error):
                clock_now["time"] += clock

        clock_now = {"time": 1000.0}
        times = {"cap_connect_ms": connect_ms, "cap_first_byte_ms": 160.6, "cap_last_byte_ms": 160.8}
        seen = SimpleNamespace(columns=lambda encrypted: times)

        @contextmanager
        def watched(_draws, _bears_ms):
            yield list(late)

        monkeypatch.setattr(trial, "transfer", lambda *_: seen)
        monkeypatch.setattr(trial, "agreement", lambda client, _: " ".join(client))
        monkeypatch.setattr(trial, "read", lambda _: (Packets.zeros(0), SimpleNamespace(check=lambda: None)))
        monkeypatch.setattr(trial, "followed", lambda *_: View(missing=missing, retransmissions=3))
        monkeypatch.setattr(trial, "time", SimpleNamespace(monotonic=lambda: 0.0, time=lambda: clock_now["time"]))
        moments = iter((round(changed_ms * 1e6), 0))  # the change, and that it is changed back
        live = Live(world, SimpleNamespace(change=lambda name, ways, at_ns=0: next(moments)), lambda: 0)
        lab = SimpleNamespace(topology=world, watched=watched, live=live, tolerance=REAL)
        question = Question(fetched, columns)
        question.prepare = lambda stage, arm, number: live.change("client-server", words) if words else None
        stage = SimpleNamespace(lab=lab, keep=lambda *_: None, faults=Faults(lab, list))
        return trial.measure(question, stage, {"state": "new"}, 1, SimpleNamespace(trial=lambda _number: Captures()))

    return run


def test_a_sound_trial_counts(measure):
    row = measure().rows[0]
    assert (row["valid"], row["reason"]) == (1, "")
    assert row["cap_retransmissions"] == 3


def test_of_an_encrypted_fetch_only_the_connection_is_held_against_the_client(measure):
    for scheme, compared in (("http", "connect_ms first_byte_ms total_ms dns_ms"), ("https", "connect_ms dns_ms")):
        assert measure({**SOUND, "url": f"{scheme}://server/a"}).rows[0]["disagreement"] == compared


def test_what_capturing_took_is_added_up(measure):
    found = measure().overhead
    assert found == Overhead(20, 0, 0.004, 0.0)
    assert (found + Overhead(1, 2, 0.006, 2.0)).as_dict() == {
        "captured_packets": 21, "capture_drops": 2, "capture_cpu_fraction": 0.005}  # fmt: skip


@pytest.mark.parametrize(("spoilt", "words"), [
    ({"late": ["link client-server: late"]}, "link client-server: late"),
    ({"problems": ("", "server: the kernel dropped 7 packets of the capture")}, "dropped 7 packets"),
    ({"missing": 1448}, "lacks 1448 bytes"),
    ({"connect_ms": 97.0}, "the handshake took 97 ms on a path of 80.01 ms"),
    ({"connect_ms": 60.0}, "the handshake took 60 ms"),
    ({"clock": 0.004}, "the time of day was set during the trial, by +4 ms"),
    ({"fetched": {**SOUND, "ok": False, "error": "Connection refused"}}, "the fetch failed: Connection refused"),
    ({"fetched": {**SOUND, "unexpected": "the warm path answered with a miss"}}, "answered with a miss"),
])  # fmt: skip
def test_a_trial_that_was_disturbed_does_not_count_and_says_why(measure, spoilt, words):
    row = measure(**spoilt).rows[0]
    assert row["valid"] == 0
    assert words in row["reason"]


def test_a_handshake_is_not_held_to_the_path_where_a_syn_may_be_lost_or_other_traffic_waits(measure, monkeypatch):
    lossy = measure(connect_ms=1100.0, settings={"loss": "1%"})
    assert lossy.rows[0]["valid"] == 1
    assert lossy.unchecked == "link client-server: it loses packets, so that no handshake has a time of its own"
    monkeypatch.setattr(Question, "idle_paths", False)
    assert measure(connect_ms=97.0).rows[0]["valid"] == 1


def test_a_handshake_is_held_to_what_the_links_were_at_its_time(measure):
    assert measure(words="delay 20ms", connect_ms=40.3).rows[0]["reason"] == ""
    assert "on a path of 40.01 ms" in measure(words="delay 20ms").rows[0]["reason"]


@pytest.mark.parametrize("changed_ms", [-999_999.5, -999_960.0, -999_918.5])
def test_a_handshake_during_which_a_link_was_changed_is_not_judged_and_says_so(measure, changed_ms):
    found = measure(words="delay 20ms", connect_ms=63.0, changed_ms=changed_ms)
    assert found.rows[0]["valid"] == 1
    assert found.unchecked == "link client-server was changed during the handshake"


def test_what_a_trial_changed_is_its_evidence(measure):
    found = measure(words="delay 20ms", connect_ms=40.3)
    assert found.changes == [{"link": "client-server", "done_ms": -2e6, "planned_ms": None,
                              "a_to_b": "delay 20ms rate 100mbit queue 1000000B up",
                              "b_to_a": "delay 20ms rate 100mbit queue 1000000B up"}]  # fmt: skip
    assert measure().changes == []


def test_steps_that_no_trial_reached_are_warned_of():
    score = TwoHosts(schedule="client-server: at 1s rate 5mbit; at 20s rate 10mbit").timeline()
    done = [{"link": "client-server", "planned_ms": 1000.0}, {"link": "client-server", "planned_ms": None}]
    assert runner.never_reached(score, done) == (
        "the schedule's steps from 20 s on were never reached: every trial was over before")
    assert runner.never_reached(score, [*done, {"link": "client-server", "planned_ms": 20000.0}]) == ""
    assert runner.never_reached([], []) == ""


def test_a_clock_that_ntp_slews_is_trusted():
    assert trial.clock_step(0.001, 2.0) == ""
    assert trial.clock_step(-0.003, 2.0)


def test_links_that_are_wrong_and_settings_that_changed_are_reasons_for_the_run():
    rows = [{"name": "a-b", "ok": False, "reasons": ["RTT: 84 ms where 80 ms is due"]},
            {"name": "b-c", "ok": True, "reasons": []}]  # fmt: skip
    assert runner.wrong_links(rows, " (after the trials)") == ["link a-b (after the trials): RTT: 84 ms where 80 ms is due"]
    before = {"server eth0": "mtu=1500 qdisc=fq", "server tcp_sack": "1"}
    assert runner.changed_settings(before, dict(before)) == []
    (reason,) = runner.changed_settings(before, {**before, "server eth0": "mtu=1000 qdisc=fq"})
    assert reason == "server eth0 was changed during the run: mtu=1500 qdisc=fq became mtu=1000 qdisc=fq"


def test_a_tcpdump_that_had_to_be_killed_is_a_problem():
    assert "did not say" in problem_of(counts(""), 120)


def test_what_is_not_a_fetch_has_columns_of_its_own_and_no_transfer_to_be_matched(measure):
    """Its captures are still held to be whole."""
    own = {"ok": True, "goodput_mbps": 93.1, "held": True, "left_out": 1}
    (row,) = measure(own, columns=("goodput_mbps", "held", "unknown_ms")).rows
    assert (row["goodput_mbps"], row["held"], row["unknown_ms"], row["valid"]) == (93.1, 1, "", 1)
    assert "left_out" not in row
    assert (row["connection"], row["url"], row["cap_connect_ms"]) == ("", "", "")
    assert measure(own, columns=("goodput_mbps",), problems=("", "lost 3 packets")).rows[0]["reason"] == "lost 3 packets"
    assert measure({"ok": False, "error": "no flow"}).rows[0]["reason"] == "the measurement failed: no flow"


def test_rows_measured_side_by_side_count_each_for_itself(measure, monkeypatch):
    monkeypatch.setattr(Question, "side_by_side", 2)
    monkeypatch.setattr(Question, "measure", lambda *_: [{"ok": True}, {"ok": False, "error": "no flow"}])
    assert [row["valid"] for row in measure().rows] == [1, 0]
    assert [row["valid"] for row in measure(late=["late"]).rows] == [0, 0]
    monkeypatch.setattr(Question, "side_by_side", 3)
    with pytest.raises(StageError, match="2 rows where side_by_side says 3"):
        measure()
