"""Links that are changed while a lab runs: by hand, by schedule, and back. The backend and the clock are stand-ins."""

import re
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from topologies.emulator.changes import Moment
from topologies.emulator.conductor import conduct
from topologies.emulator.links.backend import BackendError
from topologies.emulator.links.spec import LinkError, symmetric
from topologies.emulator.links.tolerance import EMULATED, REAL
from topologies.emulator.live import Changed, Live
from topologies.open_connect import OpenConnect
from topologies.two_hosts import TwoHosts

MS = 1_000_000
BOTH = ("a_to_b", "b_to_a")


class Recorder:
    """A backend that remembers what it is told, as one that can be told ahead does. `late_ns` is how late it makes that."""

    early_ns, late_ns = 20 * MS, 0

    def __init__(self):
        self.told, self.when, self.broken, self.takes_s, self.inside = [], [], False, 0.0, threading.Lock()

    def change(self, name, ways, at_ns=0):
        assert self.inside.acquire(blocking=False), "two threads at once"
        try:
            if self.broken:
                raise BackendError("could not use the relay: it is gone")
            time.sleep(self.takes_s)
            self.when.append(time.monotonic_ns())
            self.told.append((name, dict(ways), at_ns))
            return at_ns or 1000 * MS
        finally:
            self.inside.release()

    def changed_ns(self, name, ways):
        assert self.inside.acquire(blocking=False), "two threads at once"
        try:
            return max(next(at_ns for told, others, at_ns in reversed(self.told) if told == name and way in others)
                       for way in ways) + self.late_ns  # fmt: skip
        finally:
            self.inside.release()

    def now(self, name):
        """Both directions as they were told last."""
        return {way: one for told, ways, _ in self.told if told == name for way, one in ways.items()}


@pytest.fixture
def backend():
    return Recorder()


def live(backend, topology=None, now=lambda: 1000 * MS):
    return Live(topology or TwoHosts(), backend, now)


def test_a_change_goes_to_the_backend_and_into_every_prediction(backend):
    lab = live(backend)
    assert lab.change("client-server", "rate 10mbit loss 1%") == 1000 * MS
    ((name, ways, _),) = backend.told
    assert (name, set(ways)) == ("client-server", set(BOTH))
    assert all((way.rate_bps, way.loss, way.delay_ms) == (10_000_000, 0.01, 40.0) for way in ways.values())
    assert lab.specs["client-server"].a_to_b == ways["a_to_b"]
    assert lab.topology.path("client", "server") == (80.0, 10_000_000)
    assert "it loses packets" in lab.topology.handshake("client", "server")


def test_one_direction_is_changed_alone_and_keeps_what_was_changed_before(backend):
    lab = live(backend, OpenConnect())
    lab.change("mumbai>virginia", "delay 20ms")
    lab.change("mumbai>virginia", "loss 1%")
    assert [set(ways) for _, ways, _ in backend.told] == [{"b_to_a"}] * 2
    now = lab.specs["virginia-mumbai"]
    assert (now.b_to_a.delay_ms, now.b_to_a.loss, now.a_to_b.delay_ms) == (20.0, 0.01, 100.5)
    assert now.b_to_a.queue_bytes == now.a_to_b.queue_bytes, "a running queue stays"


@pytest.mark.parametrize(("which", "words", "said"), [
    ("client-server", "rate 0bit", "rate 0 bit/s is not within"), ("client-server", "queue 10B", "holds no frame"),
    ("client-server", "faster", "'faster' is none of"), ("client-server", "", "nothing is changed"),
    ("client-server", "jitter 50ms", "not within"), ("client-serve", "loss 1%", "did you mean client-server"),
    ("client-server", "trace /nowhere", "No such file"),
])  # fmt: skip
def test_a_change_that_cannot_be_changes_nothing(backend, which, words, said):
    lab = live(backend)
    with pytest.raises(LinkError, match=r"^could not .+: .+; .+") as refused:
        lab.change(which, words)
    assert said in str(refused.value)
    assert backend.told == []
    assert lab.specs == lab.built
    assert lab.done == []


def test_a_cable_cannot_be_changed(backend):
    with pytest.raises(LinkError, match="it is a plain cable"):
        live(backend, OpenConnect()).change("router.mumbai-router.az1.mumbai", "delay 5ms")


def test_a_cable_can_be_cut_and_is_healed_after_the_trial(backend):
    told = []
    lab = Live(OpenConnect(), backend, lambda: 1000 * MS, cables=lambda name, ways: told.append((name, ways)) or 7)
    cable = "router.mumbai-router.az1.mumbai"
    with lab.as_found():
        assert lab.change("mumbai>az1.mumbai", "down") == 7
        assert lab.words(cable) == [f"{cable}: a plain cable, which nothing emulates, cut"]
        assert lab.done[0].as_dict(0)["b_to_a"] is None
        for words in ("down delay 5ms", "rate 5mbit"):
            with pytest.raises(LinkError, match="can only go down and up"):
                lab.change(cable, words)
    assert [(name, {way: one.up for way, one in ways.items()}) for name, ways in told] == [
        (cable, {"a_to_b": False}), (cable, {"a_to_b": True})]  # fmt: skip
    assert backend.told == []


def test_what_the_backend_refuses_is_not_taken_for_done(backend):
    lab = live(backend)
    backend.broken = True
    with pytest.raises(BackendError):
        lab.change("client-server", "down")
    assert lab.specs == lab.built


def test_what_a_trial_changes_is_changed_back_and_what_was_changed_before_stays(backend):
    lab = live(backend, OpenConnect())
    lab.change("mumbai-chennai", "loss 1%")
    before = dict(lab.specs)
    with lab.as_found():
        lab.change("virginia-mumbai", "down")
        lab.change("mumbai>chennai", "delay 1ms")
        backend.told.clear()
    assert lab.specs == before
    told = [(name, tuple(ways)) for name, ways, _ in backend.told]
    assert told == [("virginia-mumbai", BOTH), ("mumbai-chennai", ("a_to_b",))]
    lab.restore()
    assert lab.specs == lab.built
    backend.told.clear()
    lab.restore()
    assert backend.told == [], "nothing is to be done"


def test_what_words_set_is_undone_and_nothing_else(backend):
    lab = live(backend, OpenConnect())
    lab.change("mumbai-chennai", "loss 1%")
    before = lab.specs["mumbai-chennai"]
    with lab.as_found():
        lab.change("mumbai-chennai", "delay 50ms loss 5% rate 1mbit")
        lab.change("mumbai>chennai", "down")
        lab.undo("mumbai-chennai", "delay 50ms loss 5% rate 1mbit")
        now = lab.specs["mumbai-chennai"]
        assert (now.b_to_a, now.a_to_b) == (before.b_to_a, replace(before.a_to_b, up=False))


def test_after_a_trial_that_failed_nothing_more_is_asked_of_the_links(backend):
    lab = live(backend)
    trial = lab.as_found()
    trial.__enter__()
    lab.change("client-server", "down")
    error = BackendError("gone")
    assert not trial.__exit__(BackendError, error, None), "it goes on to whom it concerns"
    assert len(backend.told) == 1


def test_a_state_in_words_is_one_line_for_each_direction(backend):
    lab = live(backend, OpenConnect())
    lab.change("virginia>mumbai", "rate 10mbit down")
    assert lab.words("mumbai-virginia") == [
        "router.virginia > router.mumbai: delay 100.5ms rate 10mbit queue 2512500B down",
        "router.mumbai > router.virginia: delay 100.5ms rate 100mbit queue 2512500B up",
    ]
    assert lab.words("mumbai>virginia") == lab.words("mumbai-virginia")[1:]
    cable = "router.mumbai-router.az1.mumbai"
    assert lab.words(cable) == [f"{cable}: a plain cable, which nothing emulates"]


def test_what_the_links_were_at_a_moment_is_known_afterwards(backend):
    now = [0]
    lab = live(backend, now=lambda: now[0])
    backend.change = lambda name, ways, at_ns=0: now[0]
    with lab.as_found():
        for now[0], words in ((10 * MS, "rate 10mbit"), (20 * MS, "rate 20mbit")):
            lab.change("client-server", words)

    def rate(since, until):
        specs, moved = lab.states(since * MS, until * MS)
        return specs["client-server"].a_to_b.rate_bps, moved

    assert rate(0, 5) == (100_000_000, set())
    assert rate(12, 18) == (10_000_000, set())
    assert rate(15, 25) == (10_000_000, {"client-server"})
    assert rate(25, 30)[0] == 100_000_000, "and it was changed back"


SCHEDULE = "client-server: at 0s rate 5mbit; from 30ms to 60ms down"


def test_a_schedule_is_told_ahead_with_its_very_moments(backend):
    lab = Live(TwoHosts(schedule=SCHEDULE), backend)
    over = threading.Event()
    with lab.as_found():
        with lab.scheduled() as tardy:
            over.wait(0.1)
        assert tardy == []
        assert backend.when[0] < lab.began_ns, "even a step at 0 s is told ahead"
        assert [round((at - lab.began_ns) / MS) for _, _, at in backend.told] == [0, 30, 60]
        assert [(ways["a_to_b"].rate_bps, ways["a_to_b"].up) for _, ways, _ in backend.told] == [
            (5_000_000, True), (5_000_000, False), (5_000_000, True)]  # fmt: skip
        evidence = [one.as_dict(lab.began_ns) for one in lab.done]
        assert evidence[1] == {"link": "client-server", "planned_ms": 30.0, "done_ms": 30.0,
                               "a_to_b": "delay 40ms rate 5mbit queue 1000000B down",
                               "b_to_a": "delay 40ms rate 5mbit queue 1000000B down"}  # fmt: skip
    assert lab.specs == lab.built


def test_a_schedule_of_one_direction_knows_what_was_done_to_the_other(backend):
    lab = Live(TwoHosts(schedule="client>server: at 0s rate 5mbit; at 60ms rate 10mbit"), backend)
    with lab.as_found():
        with lab.scheduled():
            lab.change("server>client", "delay 7ms")
            threading.Event().wait(0.08)
        is_now = lab.specs["client-server"]
        assert (is_now.a_to_b.rate_bps, is_now.b_to_a.delay_ms, is_now.rtt_ms) == (10_000_000, 7.0, 47.0)
        assert {way: getattr(is_now, way) for way in BOTH} == backend.now("client-server")
        assert lab.topology.path("server", "client") == (47.0, 10_000_000), "predictions follow"
    built = lab.built["client-server"]
    assert lab.specs == lab.built
    assert backend.now("client-server") == {way: getattr(built, way) for way in BOTH}, "and it is true"


def test_what_the_other_direction_was_meanwhile_is_known_afterwards(backend):
    lab = live(backend)
    name, first = "client-server", lab.built["client-server"]
    planned = replace(first, a_to_b=replace(first.a_to_b, delay_ms=10.0))
    both = replace(planned, b_to_a=replace(first.b_to_a, delay_ms=7.0))
    lab.done = [Changed(name, first, planned, ("a_to_b",), 30 * MS, 30 * MS),  # told ahead, before the next one was made
                Changed(name, planned, both, ("b_to_a",), 15 * MS)]  # fmt: skip

    def delays(since, until):
        specs, moved = lab.states(since * MS, until * MS)
        return specs[name].a_to_b.delay_ms, specs[name].b_to_a.delay_ms, bool(moved)

    assert [delays(0, 10), delays(20, 25), delays(40, 50)] == [(40, 40, False), (40, 7, False), (10, 7, False)]
    assert delays(20, 31) == (40, 7, True)


@pytest.mark.parametrize(("tolerance", "late_ms", "fine"), [(REAL, 0.9, True), (REAL, 32.7, False), (EMULATED, 3.1, True)])
def test_a_change_that_was_told_ahead_came_when_the_backend_says_and_not_when_it_was_due(backend, tolerance, late_ms, fine):
    lab = Live(TwoHosts(schedule="client-server: at 0s rate 5mbit; at 15ms down"), backend, tolerance=tolerance)
    backend.late_ns = round(late_ms * MS)
    with lab.scheduled() as tardy:
        threading.Event().wait(0.03)
    told = [one.as_dict(lab.began_ns) for one in lab.done]
    assert [(one["planned_ms"], one["done_ms"]) for one in told] == [(0, late_ms), (15, 15 + late_ms)]
    assert [f"came {late_ms:.3g} ms late" in why for why in tardy] == ([] if fine else [True, True])


def test_a_schedule_is_told_as_early_as_the_backend_needs(backend):
    backend.early_ns = 70 * MS
    lab = Live(TwoHosts(schedule="client-server: at 0s down; at 100ms up"), backend)
    with lab.scheduled():
        threading.Event().wait(0.12)
    assert [at - when >= 60 * MS for when, (_, _, at) in zip(backend.when, backend.told, strict=True)] == [True, True]


def test_a_step_that_no_longer_fits_the_other_direction_says_so(backend):
    lab = Live(TwoHosts(), backend)
    wrong = SimpleNamespace(a_to_b=replace(lab.built["client-server"].a_to_b, queue_bytes=1))
    with pytest.raises(LinkError, match=r"^could not change link client-server as its schedule has it: .+; .+"):
        lab._play(Moment(0, "client-server", wrong, ("a_to_b",)), 0)


def test_a_schedule_ends_with_what_it_was_for(backend):
    lab = Live(TwoHosts(schedule="client-server: at 1h down"), backend)
    with lab.scheduled():
        pass
    assert backend.told == []


def test_a_direction_with_steps_to_come_is_not_changed_by_hand(backend):
    lab = Live(TwoHosts(schedule="client>server: at 1h down"), backend)
    with lab.scheduled():
        with pytest.raises(LinkError, match="its schedule has steps to come; leave one of the two out"):
            lab.change("client-server", "loss 1%")
        lab.change("server>client", "loss 1%")
    lab.change("client-server", "loss 1%")


def test_two_threads_never_speak_to_the_backend_at_once(backend):
    lab = Live(TwoHosts(schedule="client>server: at 0s down; at 10ms up; at 20ms down; at 30ms up"), backend)
    backend.takes_s = 0.004
    with lab.scheduled():
        for number in range(12):
            lab.change("server>client", f"delay {number + 1}ms")
    assert len(backend.told) > 12, "and each of both was heard"


def test_a_schedule_goes_on_from_what_was_changed_before(backend):
    lab = Live(TwoHosts(schedule="client-server: at 0s rate 5mbit"), backend)
    lab.change("client-server", "loss 1%")
    with lab.scheduled():
        threading.Event().wait(0.03)
    assert [ways["a_to_b"].loss for _, ways, _ in backend.told] == [0.01, 0.01]


def test_a_schedule_that_breaks_says_so_at_its_end(backend):
    lab = Live(TwoHosts(schedule="client-server: at 0s down"), backend)
    backend.broken = True
    with pytest.raises(BackendError, match="it is gone"), lab.scheduled():
        threading.Event().wait(0.03)


@pytest.mark.parametrize(("late_ms", "rtt_ms", "fine"), [
    (0.9, 80, True), (1.1, 80, False), (2.9, 300, True), (3.1, 300, False),
])  # fmt: skip
def test_a_change_may_come_one_ms_or_one_percent_of_the_rtt_late(late_ms, rtt_ms, fine):
    spec = symmetric(rtt_ms, 10**8)
    one = Changed("a-b", spec, spec, BOTH, round((100 + late_ms) * MS), 100 * MS)
    assert (one.tardy() == "") is fine
    assert one.tardy(EMULATED) == "", "3 ms or 4 %"
    if not fine:
        assert re.fullmatch(r"link a-b: a change of its schedule came \S+ ms late where \S+ ms is allowed: .+", one.tardy())


def test_a_change_by_hand_is_never_late():
    spec = symmetric(80, 10**8)
    assert Changed("a-b", spec, spec, BOTH, 10**12).tardy() == ""


EARLY_MS = 20


class Clock:
    """Time that passes by waiting, and by nothing else; it stops at `until`."""

    def __init__(self, until_ms):
        self.now, self.until = 0, until_ms * MS

    def now_ns(self):
        return self.now

    def stopped(self, seconds):
        self.now += round(seconds * 1e9)
        return self.now >= self.until


def score(*moments):
    return [Moment(at_ms, "a-b", symmetric(80, 10**8), BOTH) for at_ms in moments]


def played(clock, *moments):
    found = []

    def play(moment, due_ns):
        found.append((moment.at_ms, clock.now // MS, due_ns // MS))

    conduct(score(*moments), 0, EARLY_MS * MS, play, clock.now_ns, clock.stopped)
    return found


def test_a_score_is_played_shortly_before_each_moment():
    assert played(Clock(10_000), 5, 100, 100, 250) == [(5, 0, 5), (100, 80, 100), (100, 80, 100), (250, 230, 250)]


def test_a_score_stops_when_it_is_told_to():
    assert [at for at, _, _ in played(Clock(150), 5, 100, 200)] == [5, 100]
    assert played(Clock(0), 5) == []
