"""Faults without a lab: whom a name means, what cannot be done, what sets a trial aside. Daemons and links are stand-ins."""

import time
from types import SimpleNamespace

import pytest

from experiments.harness.daemon import StageError
from experiments.harness.faults import Faults
from topologies.open_connect import OpenConnect

WORLD = OpenConnect(zones="2", edges_per_zone="2", zone_rtts="1ms")
EDGES = [f"edge{number}.az{zone}.mumbai" for zone in (1, 2) for number in (1, 2)]


class Daemon:
    def __init__(self, node, instrument=False):
        self.node, self.instrument, self.away, self.paused, self.told = node, instrument, False, False, []

    def begin(self):
        self.away = False
        self.told.append("begin")

    def wait_ready(self):
        self.told.append("ready")

    def kill(self):
        self.away = True
        self.told.append("kill")

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False


@pytest.fixture
def lab():
    changed = []
    return SimpleNamespace(topology=WORLD, change=lambda link, words: changed.append((link, words)), changed=changed,
                           undo=lambda link, words: changed.append((link, f"no more {words}")))  # fmt: skip


def made(lab, *nodes):
    daemons = [Daemon(node) for node in nodes or EDGES]
    return Faults(lab, lambda: daemons), daemons


def test_a_zone_is_killed_whole_and_nothing_else_is(lab):
    faults, daemons = made(lab)
    faults.kill("az1.mumbai")
    assert [one.node for one in daemons if one.away] == EDGES[:2]
    faults.restart("az1.mumbai")
    assert [one.told for one in daemons] == [["kill", "begin", "ready"]] * 2 + [[]] * 2


def test_cutting_a_zone_a_place_a_node_and_a_link(lab):
    faults, _ = made(lab)
    for name in ("az1.mumbai", "mumbai", "edge1.az2.mumbai", "virginia-chennai"):
        faults.cut(name)
    faults.heal("virginia-chennai")
    assert lab.changed == [("router.mumbai-router.az1.mumbai", "down"), ("virginia-mumbai", "down"), ("mumbai-chennai", "down"),
                           ("router.az2.mumbai-edge1.az2.mumbai", "down"), ("virginia-chennai", "down"),
                           ("virginia-chennai", "up")]  # fmt: skip


def test_slowing_a_zone_a_place_and_one_way_of_a_link(lab):
    faults, _ = made(lab)
    for name in ("az1.mumbai", "mumbai", "chennai>virginia"):
        faults.slow(name, "delay 40ms")
    faults.restore("mumbai")
    assert lab.changed == [("router.mumbai-router.az1.mumbai", "delay 40ms"), ("virginia-mumbai", "delay 40ms"),
                           ("mumbai-chennai", "delay 40ms"), ("chennai>virginia", "delay 40ms"),
                           ("virginia-mumbai", "no more delay 40ms"), ("mumbai-chennai", "no more delay 40ms")]  # fmt: skip
    assert [(one.verb, one.what, one.words) for one in faults.done[-2:]] == [
        ("slow", "chennai>virginia", "delay 40ms"), ("restore", "mumbai", ""),
    ]  # fmt: skip
    with pytest.raises(StageError, match="it was not slowed"):
        faults.restore("mumbai")


@pytest.mark.parametrize(("name", "become", "words"), [
    ("az1.mumbai", "down", "takes it down or up; write cut"),
    ("az1.mumbai", "colour red", "'colour' is none of delay"),
    ("edge1.az1.mumbai", "delay 1ms", "is a plain cable, which can only be cut; name the zone"),
    ("az9.mumbai", "delay 1ms", "could not slow 'az9.mumbai': it is no node, zone, place or link"),
])  # fmt: skip
def test_what_cannot_be_slowed_is_told(lab, name, become, words):
    with pytest.raises(StageError, match=words):
        made(lab)[0].slow(name, become)
    assert lab.changed == []


def test_the_instrument_is_never_killed(lab):
    daemons = [Daemon("client1.chennai", instrument=True)]
    with pytest.raises(StageError, match="started no daemon there"):
        Faults(lab, lambda: daemons).kill("client1.chennai")


@pytest.mark.parametrize(("text", "words"), [
    ("at 1s kill az9.mumbai", "no node, zone or place of this lab; did you mean"),
    ("at 1s kill router.mumbai", "started no daemon there"),
    ("at 1s cut nowhere", "no node, zone, place or link"),
    ("at 1s slow edge1.az1.mumbai delay 1ms", "is a plain cable"),
    ("at 1s kill", "not one of kill"),
])  # fmt: skip
def test_a_timetable_is_refused_before_anything_is_done(lab, text, words):
    faults, daemons = made(lab)
    with pytest.raises(StageError, match=words):
        faults.check(f"at 0s kill {EDGES[0]}; {text}")
    assert not daemons[0].away


def test_what_is_away_cannot_be_killed_again_nor_what_runs_be_resumed(lab):
    faults, _ = made(lab)
    faults.kill(EDGES[0])
    with pytest.raises(StageError, match="no daemon there runs"):
        faults.kill(EDGES[0])
    with pytest.raises(StageError, match="no daemon there is paused"):
        faults.resume(EDGES[1])


def wait_for(faults, count):
    """Until so many faults are done, however busy the machine is."""
    deadline = time.monotonic() + 5
    while len(faults.done) < count and time.monotonic() < deadline:
        time.sleep(0.002)


def test_a_timetable_is_played_and_what_it_did_is_unmade(lab, monkeypatch):
    monkeypatch.setattr("experiments.harness.faults.LATE_MS", 4000.0)
    faults, daemons = made(lab)
    with faults.as_found() as problems:
        with faults.timetable(f"at 5ms kill {EDGES[0]}; at 10ms pause {EDGES[1]}; from 11ms to 12ms slow mumbai delay 9ms"):
            wait_for(faults, 4)
        assert (daemons[0].away, daemons[1].paused) == (True, True)
        assert [(row["fault"], row["words"], row["due_ms"]) for row in faults.rows()] == [
            ("kill", "", 5.0), ("pause", "", 10.0), ("slow", "delay 9ms", 11.0), ("restore", "", 12.0)]  # fmt: skip
        assert all(row["done_ms"] >= row["due_ms"] for row in faults.rows())
    assert problems == []
    assert (daemons[0].away, daemons[0].told, daemons[1].paused) == (False, ["kill", "begin", "ready"], False)


def test_a_fault_that_never_came_or_came_late_sets_the_trial_aside(lab):
    faults, daemons = made(lab)
    daemons[0].kill = lambda: time.sleep(0.03)
    with faults.as_found() as problems, faults.timetable(f"at 0s kill {EDGES[0]}; at 9s pause {EDGES[1]}"):
        wait_for(faults, 1)
    assert [words in problem for problem, words in zip(problems, ("late", "never came"), strict=True)] == [True, True]


def test_what_breaks_in_the_middle_of_a_timetable_is_raised(lab):
    faults, daemons = made(lab)
    daemons[0].kill = lambda: (_ for _ in ()).throw(StageError("it is gone"))
    with pytest.raises(StageError, match="it is gone"), faults.timetable(f"at 0s kill {EDGES[0]}"):
        time.sleep(0.2)
