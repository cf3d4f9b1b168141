"""The settings `changes` and `schedule` of every topology: which links they mean, what becomes of them, what is refused."""

import re

import pytest

from topologies.dumbbell import Dumbbell
from topologies.emulator import selecting
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.spec import LinkError, symmetric
from topologies.emulator.setting import SettingError
from topologies.emulator.topology import Topology
from topologies.open_connect import OpenConnect
from topologies.two_hosts import TwoHosts


def spec(world, name):
    return world.specs[name]


def rates(world, name):
    return spec(world, name).a_to_b.rate_bps, spec(world, name).b_to_a.rate_bps


class Twins(Topology):
    """Two lines between the same routers, one of them called for what it is; and one with a schedule of its own."""

    def build(self):
        self.router("left")
        self.router("right")
        self.cable("left", self.host("client", "client"))
        self.cable("right", self.host("server", "server"))
        self.link("left", "right", self.shaped("fibre", 10, 10**9), name="fibre")
        self.link("left", "right", self.shaped("satellite", 500, 10**7), name="satellite", schedule="at 5s rate 20mbit")


@pytest.mark.parametrize(("text", "name", "ways"), [
    ("virginia-mumbai", "virginia-mumbai", ("a_to_b", "b_to_a")), ("mumbai-virginia", "virginia-mumbai", ("a_to_b", "b_to_a")),
    ("router.mumbai-router.virginia", "virginia-mumbai", ("a_to_b", "b_to_a")),
    ("virginia>mumbai", "virginia-mumbai", ("a_to_b",)),
    ("mumbai > virginia", "virginia-mumbai", ("b_to_a",)), ("router.mumbai>virginia", "virginia-mumbai", ("b_to_a",)),
    ("sao-paulo-mumbai", "mumbai-sao-paulo", ("a_to_b", "b_to_a")), ("sao-paulo>mumbai", "mumbai-sao-paulo", ("b_to_a",)),
    ("client1.sao-paulo-router.sao-paulo", "router.sao-paulo-client1.sao-paulo", ("a_to_b", "b_to_a")),
])  # fmt: skip
def test_a_link_is_called_by_its_name_or_by_its_ends(text, name, ways):
    link, found = selecting.one(OpenConnect(clients="Sao Paulo").links_info, text)
    assert (link.name, found) == (name, ways)


def test_of_two_links_between_the_same_ends_the_name_decides():
    links = Twins().links_info
    assert selecting.one(links, "satellite")[0].name == "satellite"
    link, ways = selecting.one(links, "satellite>left")
    assert (link.name, ways) == ("satellite", ("b_to_a",))
    with pytest.raises(LinkError, match="2 links are called so; write one of their names, fibre, satellite"):
        selecting.one(links, "left-right")


@pytest.mark.parametrize("setting", ["changes", "schedule"])
@pytest.mark.parametrize(("which", "said"), [
    ("virginia-mumbay",
     "could not find link 'virginia-mumbay': this topology has none of that name; did you mean virginia-mumbai"),
    ("chennay>mumbai", "did you mean chennai>mumbai"),
    ("tokyo-paris", "there are virginia-mumbai, virginia-chennai, mumbai-chennai"),
])  # fmt: skip
def test_an_unknown_link_names_the_nearest(setting, which, said):
    with pytest.raises(LinkError, match=re.escape(said)):
        OpenConnect(**{setting: f"{which}: {'at 1s ' if setting == 'schedule' else ''}loss 1%"})


def test_changes_reach_both_directions_or_one():
    world = OpenConnect(changes="virginia-mumbai: loss 1% jitter 2ms | mumbai>chennai: delay 10ms")
    for way in (spec(world, "virginia-mumbai").a_to_b, spec(world, "virginia-mumbai").b_to_a):
        assert way.effects == (Jitter(2.0), Loss(0.01))
    assert (spec(world, "mumbai-chennai").a_to_b.delay_ms, spec(world, "mumbai-chennai").b_to_a.delay_ms) == (10.0, 15.0)
    assert spec(world, "virginia-chennai") == spec(OpenConnect(), "virginia-chennai")


def test_a_star_means_all_links_that_are_emulated_and_a_later_change_wins():
    world = OpenConnect(changes="*: rate 50mbit | mumbai>virginia: rate 10mbit")
    assert rates(world, "virginia-chennai") == (50_000_000, 50_000_000)
    assert rates(world, "virginia-mumbai") == (50_000_000, 10_000_000)
    cables = [link for link in world.links_info if link.spec.unshaped]
    assert len(cables) == 5, "a cable inside a site stays one"


def test_what_is_said_of_where_an_rtt_is_from_follows_a_changed_delay():
    world = OpenConnect(changes="mumbai-chennai: delay 10ms | virginia-chennai: loss 1%")
    sources = {link.name: link.source for link in world.links_info}
    assert sources["mumbai-chennai"] == "set by the user"
    assert sources["virginia-chennai"] == sources["virginia-mumbai"] != "set by the user"


def test_a_derived_queue_is_derived_again_and_its_rule_says_how():
    changed = spec(TwoHosts(changes="client-server: rate 10mbit delay 20ms"), "client-server")
    assert changed.a_to_b.queue_bytes == 10_000_000 / 8 * 0.040 == 50_000
    assert changed.queue_rule == "10 Mbit/s x 40 ms = 48.83 KiB"
    uneven = spec(TwoHosts(changes="client>server: rate 10mbit"), "client-server")
    assert (uneven.a_to_b.queue_bytes, uneven.b_to_a.queue_bytes) == (100_000, 1_000_000)
    assert uneven.queue_rule == "a_to_b: 10 Mbit/s x 80 ms = 97.66 KiB; b_to_a: 100 Mbit/s x 80 ms = 976.6 KiB"


def test_a_queue_that_was_given_stays():
    assert spec(TwoHosts(queue="64KiB", changes="client-server: rate 10mbit"), "client-server").a_to_b.queue_bytes == 65536
    one = spec(TwoHosts(changes="client>server: queue 50packets | client-server: rate 10mbit"), "client-server")
    assert (one.a_to_b.queue_packets, one.a_to_b.queue_bytes, one.b_to_a.queue_bytes) == (50, None, 100_000)
    assert one.queue_rule == "a_to_b: given; b_to_a: 10 Mbit/s x 80 ms = 97.66 KiB"
    assert spec(TwoHosts(changes="client-server: queue 64KiB"), "client-server").queue_rule == "given"


def test_a_bottleneck_without_delay_keeps_the_path_its_queue_was_derived_from():
    world = Dumbbell(rtts="80ms", changes="left-right: rate 10mbit")
    assert spec(world, "left-right").a_to_b.queue_bytes == 100_000, "10 Mbit/s x 80 ms"
    assert spec(Dumbbell(rtts="80ms", changes="left-right: delay 10ms"), "left-right").a_to_b.queue_bytes == 1_250_000, "100 ms"


def test_a_traces_queue_is_derived_from_its_mean(tmp_path):
    (tmp_path / "lte").write_text("".join(f"{ms}\n" for ms in range(1, 101)))
    changed = spec(TwoHosts(changes=f"client-server: trace {tmp_path / 'lte'}"), "client-server")
    assert changed.a_to_b.trace.mean_bps == 12_000_000
    assert changed.a_to_b.queue_bytes == 120_000
    assert changed.queue_rule.startswith("12 Mbit/s x 80 ms")


def test_predictions_follow_the_changes():
    world = OpenConnect(changes="mumbai>chennai: delay 10ms rate 10mbit")
    assert world.path("client1.chennai", "edge1.az1.mumbai") == (25.0, 10_000_000)
    assert world.path("edge1.az1.mumbai", "client1.chennai") == (25.0, 100_000_000)
    assert world.handshake("client1.chennai", "edge1.az1.mumbai")[0] == pytest.approx(25.0 + 74 * 8e3 * (1 / 1e7 + 1 / 1e8))
    assert OpenConnect().changed("mumbai>chennai: delay 10ms rate 10mbit").path("client1.chennai", "edge1.az1.mumbai") == (
        25.0, 10_000_000)  # fmt: skip
    assert world.changed("mumbai>chennai: delay 12ms").path("client1.chennai", "edge1.az1.mumbai") == (27.0, 10_000_000)


@pytest.mark.parametrize(("words", "doubt"), [
    ("loss 1%", "it loses packets"), ("gilbert-elliott 1% 25%", "it loses packets"), ("down", "it is down"),
    ("corrupt 1%", "it corrupts packets"), ("reorder 1%", "packets overtake"), ("trace TRACE", "a trace's"),
])  # fmt: skip
def test_a_handshake_that_cannot_be_predicted_says_why(words, doubt, tmp_path):
    (tmp_path / "lte").write_text("10\n")
    world = TwoHosts(changes=f"client>server: {words.replace('TRACE', str(tmp_path / 'lte'))}")
    assert doubt in world.handshake("client", "server")


def test_a_jitter_widens_what_a_handshake_may_take_by_its_furthest():
    assert TwoHosts(changes="client-server: jitter 2ms normal").handshake("client", "server")[1] == 16.0


def test_a_cable_that_is_given_a_delay_is_emulated_with_the_users_seed():
    one, other = (OpenConnect(seed=seed, changes="router.mumbai-router.az1.mumbai: delay 5ms loss 1%") for seed in ("1", "2"))
    assert spec(one, "router.mumbai-router.az1.mumbai").rtt_ms == 10
    assert spec(one, "router.mumbai-router.az1.mumbai").seed != spec(other, "router.mumbai-router.az1.mumbai").seed


def test_a_seed_is_demanded_when_anything_random_is_asked_for_now_or_later():
    assert not TwoHosts(seed="7").seed_demanded
    for random in ("loss 1%", "gilbert-elliott 1% 25%", "jitter 1ms", "duplicate 1%", "reorder 1%", "corrupt 1%"):
        assert TwoHosts(seed="7", changes=f"client>server: {random}").seed_demanded
    assert TwoHosts(seed="7", schedule="client-server: at 5s loss 1%").seed_demanded
    assert not TwoHosts(changes="client-server: loss 1%").seed_demanded


def test_segments_are_a_setting_of_the_emulated_links():
    assert spec(TwoHosts(rate="10gbit"), "client-server").passes[0]
    assert not spec(TwoHosts(rate="10gbit", segments="frames"), "client-server").passes[0]
    with pytest.raises(LinkError, match="could not specify link client-server: segments cannot be passed whole: loss acts"):
        TwoHosts(rate="10gbit", loss="1%", segments="passed")
    with pytest.raises(SettingError, match="none of auto, frames, passed"):
        TwoHosts(segments="some")


@pytest.mark.parametrize(("changes", "said"), [
    ("client-server", "'client-server' is not LINK: WHAT; write for example"), ("client-server:", "is not LINK: WHAT"),
    (": loss 1%", "is not LINK: WHAT"), ("client-server: rate 0bit", "rate 0 bit/s is not within"),
    ("client-server: queue 100B", "queue 100 B holds no frame of 1514 B"), ("client-server: queue 0packets", "holds no frame"),
    ("client-server: jitter 50ms", "not within"),
    ("client-server: loss 100%", "loss 100% is not a probability from 0% to below 100%"),
    ("client-server: faster", "'faster' is none of"), ("client-server: delay -5ms", "delay -5.0 ms is not within"),
    ("client-server: trace /nowhere", "No such file"), ("client-server: mtu 1400B", "'mtu' is none of"),
])  # fmt: skip
def test_a_change_that_cannot_be_is_refused_in_words(changes, said):
    with pytest.raises(LinkError, match=r"^could not .+: .+; .+") as refused:
        TwoHosts(changes=changes)
    assert said in str(refused.value)


@pytest.mark.parametrize(("content", "said"), [
    ("", "has no line"), ("5\n3\n", "line 2 is 3 after 5"), ("-1\n", "not negative"), ("1\n" * 2_000_001, "are the most"),
], ids=["empty", "unsorted", "negative", "huge"])  # fmt: skip
def test_a_trace_that_cannot_be_used_is_refused_in_words(tmp_path, content, said):
    (tmp_path / "lte").write_text(content)
    with pytest.raises(LinkError, match=r"^could not change client-server: .+; .+") as refused:
        TwoHosts(changes=f"client-server: trace {tmp_path / 'lte'}")
    assert said in str(refused.value)


def moments(world):
    return [(moment.at_ms, moment.link, moment.ways) for moment in world.timeline()]


BOTH = ("a_to_b", "b_to_a")


def test_schedules_of_links_and_directions_become_one_timeline():
    world = OpenConnect(schedule="virginia-mumbai: at 20s rate 20mbit | mumbai>chennai: from 10s to 30s down")
    assert moments(world) == [(10_000, "mumbai-chennai", ("a_to_b",)), (20_000, "virginia-mumbai", BOTH),
                              (30_000, "mumbai-chennai", ("a_to_b",))]  # fmt: skip
    down, slower, again = (moment.spec for moment in world.timeline())
    assert (down.a_to_b.up, down.b_to_a.up) == (False, True)
    assert slower.a_to_b.rate_bps == slower.b_to_a.rate_bps == 20_000_000
    assert slower.a_to_b.queue_bytes == spec(world, "virginia-mumbai").a_to_b.queue_bytes, "a running queue stays"
    assert again == spec(world, "mumbai-chennai")


def test_schedules_of_one_direction_from_several_places_are_joined():
    world = TwoHosts(schedule="client-server: from 30s to 40s down | server>client: at 35s loss 5%")
    assert [(at_ms, ways) for at_ms, _, ways in moments(world)] == [(30_000, BOTH), (35_000, ("b_to_a",)), (40_000, BOTH)]
    assert world.schedule_texts("client-server") == {
        "a_to_b": "from 30s to 40s down", "b_to_a": "from 30s to 40s down; at 35s loss 5%"}  # fmt: skip
    lossy = world.timeline()[1].spec.b_to_a
    assert (lossy.loss, lossy.up) == (0.05, False)


def test_a_topology_file_gives_a_link_its_schedule_and_the_user_adds_to_it():
    assert moments(Twins()) == [(5_000, "satellite", BOTH)]
    assert moments(Twins(schedule="satellite: at 6s delay 100ms"))[1] == (6_000, "satellite", BOTH)
    with pytest.raises(LinkError, match="could not schedule link satellite: the schedule overlaps"):
        Twins(schedule="satellite: from 4s to 6s rate 1mbit")


def test_a_schedule_begins_with_what_the_changes_made():
    (one,) = TwoHosts(changes="client-server: loss 1%", schedule="client-server: at 5s rate 5mbit").timeline()
    assert (one.spec.a_to_b.loss, one.spec.a_to_b.rate_bps) == (0.01, 5_000_000)


def test_every_state_to_come_is_checked_before_anything_is_built():
    with pytest.raises(LinkError, match=r"^could not schedule link client-server: 20 s: queue 100 B holds no frame .+; .+"):
        TwoHosts(schedule="client-server: at 10s rate 5mbit; at 20s queue 100B")


@pytest.mark.parametrize(("schedule", "said"), [
    ("client-server: at 20s rate 1mbit; at 10s down", "runs backwards"),
    ("client-server: from 1s to 3s down; at 2s up", "overlaps"),
    ("client-server: at 1s rate 0bit", "rate 0 bit/s"), ("client-server: 5s down", "is not a step"),
    ("client-server", "LINK: WHAT"),
])  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused_in_words(schedule, said):
    with pytest.raises(LinkError, match=r"^could not .+: .+; .+") as refused:
        TwoHosts(schedule=schedule)
    assert said in str(refused.value)


def test_stock_mn_which_would_ignore_a_schedule_refuses_it(monkeypatch):
    monkeypatch.setattr("__main__.LINKS", {}, raising=False)
    assert TwoHosts().schedules == {}
    with pytest.raises(LinkError, match="could not schedule links under mn"):
        TwoHosts(schedule="client-server: at 5s down")


def test_a_cable_has_no_schedule():
    with pytest.raises(LinkError, match="could not schedule link right-receiver1: it is a plain cable"):
        Dumbbell(schedule="right-receiver1: at 5s down")


def test_socket_buffers_hold_what_the_fastest_and_longest_state_needs():
    later = TwoHosts(schedule="client-server: at 5s rate 10gbit; at 6s delay 200ms")
    assert later.buffer_bytes == round(4 * 10e9 / 8 * 0.4)


def test_every_state_is_told():
    states = TwoHosts(schedule="client-server: at 5s rate 1mbit; at 6s rate 2mbit").states()
    assert [(name, spec.a_to_b.rate_bps) for name, spec in states] == [
        ("client-server", rate_bps) for rate_bps in (100_000_000, 1_000_000, 2_000_000)]  # fmt: skip


def test_a_specification_is_what_symmetric_makes_when_nothing_is_changed():
    assert spec(TwoHosts(), "client-server") == TwoHosts().links_info[0].spec
    assert spec(TwoHosts(), "client-server").a_to_b == symmetric(80, 10**8).a_to_b
