"""Settings: text with its unit becomes a value once; what is wrong is refused with what would be right."""

import pytest

from topologies.dumbbell import Dumbbell
from topologies.emulator.links.spec import LinkError
from topologies.emulator.setting import SettingError, nearest
from topologies.open_connect import OpenConnect
from topologies.two_hosts import TwoHosts


def test_settings_are_converted_and_kept_as_text():
    world = TwoHosts(rtt="20ms", rate="10mbit")
    assert (world.rtt, world.rate) == (20.0, 10_000_000)
    assert world.texts["rtt"] == "20ms"
    assert world.texts["mtu"] == "1500B"


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(SettingError, match=r"could not set rate_bps: .*did you mean rate"):
        TwoHosts(rate_bps="1mbit")


@pytest.mark.parametrize(("setting", "words"), [
    ({"rtt": "76"}, "has no unit"), ({"rtt": "-5ms"}, "cannot be negative"), ({"rate": "0bit"}, "above 0"),
    ({"rate": "fast"}, "is not a rate"), ({"loss": "100%"}, "below 100%"), ({"loss": "0.1"}, "has no unit"),
    ({"queue": "10B"}, "holds no frame"), ({"rtt": "3h"}, "not within 0"), ({"jitter": "50ms"}, "jitter"),
    ({"mtu": "100B"}, "MTU 100"), ({"mtu": "1400"}, "has no unit"), ({"rate": "900gbit"}, "not within"),
    ({"queue": "1000"}, "has no unit"),
])  # fmt: skip
def test_a_wrong_value_is_refused_in_words(setting, words):
    with pytest.raises((SettingError, LinkError), match=words):
        TwoHosts(**setting)


def test_unknown_places_and_networks_name_the_nearest():
    with pytest.raises(SettingError, match="did you mean Mumbai"):
        OpenConnect(edges="Mumbay")
    with pytest.raises(SettingError, match="azure"):
        OpenConnect(network="asure")


def test_no_clients_is_no_topology():
    with pytest.raises(SettingError, match="at least one"):
        OpenConnect(clients="")


@pytest.mark.parametrize("text", ["Virginia/Mumbai", "Virginia=50ms", "Virginia/Tokyo=50ms", "Virginia/Mumbai=50"])
def test_a_replaced_rtt_must_name_a_pair_of_the_topology_and_a_duration(text):
    with pytest.raises(SettingError, match="could not"):
        OpenConnect(rtt=text)


@pytest.mark.parametrize("rtts", ["1", "", "10ms,", "10ms,-1ms", "fast"])
def test_the_rtts_of_a_dumbbell_are_durations(rtts):
    with pytest.raises(SettingError, match="could not set rtts"):
        Dumbbell(rtts=rtts)


def test_every_sender_of_a_dumbbell_has_an_rtt_and_the_last_serves_the_rest():
    world = Dumbbell(pairs="3", rtts="10ms,80ms")
    assert [world.path(f"sender{n}", f"receiver{n}")[0] for n in (1, 2, 3)] == [10, 80, 80]


def test_a_dumbbell_keeps_delay_and_bottleneck_apart():
    bottleneck = next(link for link in Dumbbell(rtts="80ms", rate="10mbit").links_info if link.name == "left-right")
    assert bottleneck.spec.rtt_ms == 0
    assert bottleneck.spec.a_to_b.queue_bytes == 100_000, "10 Mbit/s x 80 ms, though the link itself has no delay"


@pytest.mark.parametrize(("said", "known", "answer"), [
    ("rum", ["run", "test"], "did you mean run?"), ("rtts", ["rtt", "rate", "routes"], "did you mean rtt?"),
    ("edge1", ["client1.chennai", "edge1.az1.mumbai"], "did you mean edge1.az1.mumbai?"),
    ("mumbai", ["edge1.az1.mumbai", "router.mumbai", "pune"], "did you mean edge1.az1.mumbai or router.mumbai?"),
    ("start", ["test", "list", "report"], "there are test, list, report"), ("stop", ["test", "list"], "there are test, list"),
    ("x", [], "there are none"), ("Mumbay", ["Mumbai", "Dubai", "Dublin"], "did you mean Mumbai?"),
    ("x", [f"name{n}" for n in range(50)], "there are " + ", ".join(f"name{n}" for n in range(40)) + " and 10 more"),
])  # fmt: skip
def test_a_suggestion_is_near_or_it_is_what_there_is(said, known, answer):
    assert nearest(said, known) == answer
