"""What BIRD says, read from recordings; what it is told to be; and when steering hears of it. No BIRD runs here, but it
checks the configurations where it is on the machine."""

import socket
import subprocess
import time
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.bird import config
from nodes.bird.config import ConfigError, Network, Session, configurations
from nodes.bird.delay import first_address, measure
from nodes.bird.main import Delays
from nodes.bird.replies import ReplyError, as_path, learned, lines, whole
from nodes.bird.reporter import Reporter
from nodes.http.failure import Failure
from nodes.programs import program
from nodes.steering.reports import parse
from nodes.steering.routes import Route

END = "0000 \n"
RECORDED = """\
1007-Table master4:
 198.51.100.0/25      unicast [c 02:07:15.350] * (100) [AS64501i]
 \tvia 10.0.2.1 on ec
1008-\tType: BGP univ
1012-\tBGP.origin: IGP
 \tBGP.as_path: 64502 64501
 \tBGP.next_hop: 10.0.2.1
 \tBGP.local_pref: 100
1007-203.0.113.0/24       unicast [c 02:07:15.350] * (100) [AS64501i]
 \tvia 10.0.2.1 on ec
1008-\tType: BGP univ
1012-\tBGP.origin: IGP
 \tBGP.as_path: 64502 64501
 \tBGP.next_hop: 10.0.2.1
 \tBGP.local_pref: 100
""" + END
"""`show route all` of BIRD 2.0.12 at a site with one session, as it came over the socket."""

SEVERAL = """\
1007-Table master4:
 203.0.113.0/24       unicast [peer_b 10:00:00.000 from 10.0.3.1] (100) [AS64501i]
1008-\tType: BGP univ
1012-\tBGP.as_path: 64509 64508 64501
 \tBGP.next_hop: 10.0.3.1
1007-                     unicast [peer_a 10:00:00.000] * (100) [AS64501i]
1008-\tType: BGP univ
1012-\tBGP.as_path: 64502 64501
 \tBGP.next_hop: 10.0.2.1
1007-192.0.2.0/24         unreachable [own4 10:00:00.000] * (200)
1008-\tType: static univ
1007-10.0.0.0/30          unicast [direct1 2026-11-27] * (240)
1008-\tType: device univ
1007-Table master6:
 2001:db8:1::/48      unicast [peer_a 10:00:00.000] * (100) [AS64501i]
1008-\tType: BGP univ
1012-\tBGP.as_path: 64502 {64501 64510}
 \tBGP.next_hop: 2001:db8::1 fe80::1
""" + END
"""Put together after BIRD's source (nest/rt-table.c, `rt_show_net`): several routes of a prefix, other kinds, IPv6."""


def test_the_routes_of_a_recorded_reply():
    assert [(str(one.prefix), one.as_path, one.next_hop) for one in learned(RECORDED)] == [
        ("198.51.100.0/25", (64502, 64501), "10.0.2.1"), ("203.0.113.0/24", (64502, 64501), "10.0.2.1")]  # fmt: skip


def test_only_what_bird_prefers_and_what_came_by_bgp_is_learned():
    assert [(str(one.prefix), one.as_path, one.next_hop) for one in learned(SEVERAL)] == [
        ("203.0.113.0/24", (64502, 64501), "10.0.2.1"), ("2001:db8:1::/48", (64502, 64501), "2001:db8::1")]  # fmt: skip


def test_no_route_at_all_is_no_error():
    assert learned("0000 \n") == []
    assert learned("1007-Table master4:\n0000 \n") == []


@pytest.mark.parametrize(("reply", "cause"), [
    ("9001 syntax error, unexpected CF_SYM_UNDEFINED\n", "syntax error, unexpected CF_SYM_UNDEFINED' \\(9001\\)"),
    ("8003 No protocols match\n", "No protocols match"),
    ("hello\n", "which is no reply"),
    (RECORDED.replace("64502 64501", "64502 many"), "AS path with 'many'"),
    (RECORDED.replace("203.0.113.0/24", "203.0.113.0/33"), "a route that cannot be"),
])  # fmt: skip
def test_what_cannot_be_read_is_an_error_that_says_so(reply, cause):
    with pytest.raises(ReplyError, match=cause):
        learned(reply)


@pytest.mark.parametrize(("text", "numbers"), [
    ("", []), ("64502", [64502]), ("64502 64502 64501", [64502, 64502, 64501]), ("64502 {64501 64510}", [64502, 64501]),
    ("(65001 65002) 64502", [64502]), ("4200000001 23456", [4200000001, 23456]),
])  # fmt: skip
def test_as_paths_count_sets_once_and_confederations_not_at_all(text, numbers):
    assert as_path(text) == numbers


@given(st.integers(0, len(RECORDED)))
def test_a_reply_is_whole_only_with_its_last_line(cut):
    assert whole(RECORDED[:cut].encode()) == (cut == len(RECORDED))


@settings(max_examples=100)
@given(st.text(alphabet="0179- \n\tBGP.as_path:/*[]x", max_size=200))
def test_no_text_is_read_otherwise_than_as_routes_or_an_error(text):
    try:
        assert all(isinstance(route, Route) for route in learned(text))
        list(lines(text))
    except ReplyError:
        pass


CLIENT = Network(64501, ["198.51.100.0/24", "2001:db8:1::/48"], {"site": ["203.0.113.0/24"]})
WORLD = {"client": CLIENT, "transit": Network(64500, ["192.0.2.0/24"]), "site": Network(64510), "other": Network(64520)}
SESSIONS = [
    Session("client", "10.0.0.1", "transit", "10.0.0.2", "provider"),
    Session("client", "10.0.1.1", "site", "10.0.1.2", "customer"),
    Session("transit", "10.0.2.1", "site", "10.0.2.2", "customer"),
    Session("transit", "10.0.3.1", "other", "10.0.3.2", "peer"),
    Session("other", "10.0.3.2", "site", "10.0.2.2", "listener"),
]  # fmt: skip


def filter_of(text, neighbour):
    (line,) = [line for line in text.splitlines() if line.startswith("filter to_") and neighbour in line]
    return line


def test_a_prefix_for_one_neighbour_is_kept_from_the_others():
    text = configurations(WORLD, SESSIONS)["client"]
    assert "reject" not in filter_of(text, "site")
    assert filter_of(text, "transit") == ('filter to_provider_transit { if net ~ [ 203.0.113.0/24 ] then reject; '
                                          'if source = RTS_STATIC || proto ~ "customer_*" then accept; reject; }')  # fmt: skip


def test_customers_get_everything_and_peers_what_is_ours_and_our_customers():
    text = configurations(WORLD, SESSIONS)["transit"]
    assert filter_of(text, "customer_client") == "filter to_customer_client { accept; }"
    assert filter_of(text, "peer_other").endswith('proto ~ "customer_*" then accept; reject; }')
    for name, preference in (("customer_client", 200), ("peer_other", 150)):
        assert f"bgp_local_pref = {preference}; accept; }};\n    export filter to_{name};" in text


def test_a_listener_hears_what_is_announced_for_it_from_far_away_and_tells_nothing():
    networks = {"isp": Network(64501, ["198.51.100.0/24"], {"edge": ["198.51.100.7/32"]}), "edge": Network(64510)}
    texts = configurations(networks, [Session("isp", "10.0.0.1", "edge", "10.0.9.2", "listener")])
    assert filter_of(texts["isp"], "edge") == "filter to_listener_edge { if source = RTS_STATIC then accept; reject; }"
    assert "import filter { reject; };" in texts["isp"]
    assert filter_of(texts["edge"], "isp") == "filter to_speaker_isp { reject; }"
    assert all("multihop 32;" in text for text in texts.values())
    assert "multihop" not in configurations(WORLD, SESSIONS)["client"]


def test_only_what_is_asked_for_becomes_a_route_of_the_kernel():
    assert "protocol kernel" not in configurations(WORLD, SESSIONS)["site"]
    text = configurations(WORLD, SESSIONS, kernel=["192.0.2.0/24"])["site"]
    assert "ipv4 { export where source = RTS_BGP && net ~ [ 192.0.2.0/24+ ]; };" in text


@pytest.mark.parametrize("kernel", [[], ["192.0.2.0/24", "2001:db8::/32"]])
def test_bird_itself_takes_each_configuration(tmp_path, kernel):
    try:
        bird = program("bird", "bird2")
    except Failure as failure:
        pytest.skip(str(failure))
    for name, text in configurations(WORLD, SESSIONS, kernel=kernel).items():
        file = tmp_path / f"{name}.conf"
        file.write_text(text)
        done = subprocess.run([bird, "-p", "-c", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + text


@pytest.mark.parametrize(("networks", "sessions", "cause"), [
    ({"a": Network(0)}, [], "AS 0"),
    ({"a": Network(2**32)}, [], "AS 4294967296"),
    ({"a b": Network(1)}, [], "a name has letters"),
    ({"a": Network(1, ["10.0.0.1/8"])}, [], "could not announce 10.0.0.1/8"),
    ({"a": Network(1)}, [Session("a", "10.0.0.1", "b", "10.0.0.2", "peer")], "there is no network b"),
    ({"a": Network(1), "b": Network(2)}, [Session("a", "10.0.0.1", "b", "2001:db8::1", "peer")], "two versions of IP"),
    ({"a": Network(1), "b": Network(2)}, [Session("a", "10.0.0.1", "b", "10.0.0.2", "friend")], "'friend' is not one of"),
])  # fmt: skip
def test_a_network_that_cannot_be_is_refused(networks, sessions, cause):
    with pytest.raises(ConfigError, match=cause):
        configurations(networks, sessions)


def test_sessions_are_found_by_name():
    assert config.protocol("router.az1.mumbai", "customer") == "customer_router_az1_mumbai"


def test_the_reporter_tells_changes_at_once_repeats_what_stays_and_says_when_bird_died():
    reporter, (one, two) = Reporter("edge1", "mumbai", "http://10.0.0.6", repeat_s=30), learned(RECORDED)
    assert reporter.due(0) is None, "nothing is known yet"
    reporter.learned([two, one])
    first = reporter.due(100)
    assert [route["prefix"] for route in first["routes"]] == ["198.51.100.0/25", "203.0.113.0/24"]
    assert parse(first, 100).routes == (one, two), "steering reads what was learned"
    assert reporter.due(101) == {**first, "at": 101}, "it did not arrive, so it is due"
    reporter.sent(first)
    reporter.learned([one, two])
    assert reporter.due(129) is None
    assert reporter.due(130) == {**first, "at": 130}
    reporter.failed("nobody answers")
    stale = reporter.due(131)
    assert (stale["stale"], "routes" in stale) == ("nobody answers", False), "the routes told before stay"
    reporter.sent(stale)
    assert reporter.due(132) is None
    reporter.learned([one, two])
    assert reporter.due(133)["routes"] == first["routes"], "after a death the same routes are news"
    reporter.sent(reporter.due(133))
    reporter.learned([])
    assert reporter.due(134)["routes"] == []


def test_a_delay_goes_with_its_route_in_whole_milliseconds_and_chance_is_no_change():
    reporter, routes = Reporter("edge1", "mumbai", "http://10.0.0.6", repeat_s=30), learned(RECORDED)
    reporter.measured({routes[0].prefix: 30.4})
    reporter.learned(routes)
    report = reporter.due(1)
    assert [one.get("rtt_ms") for one in report["routes"]] == [30.0, None]
    assert parse(report, 1).routes[0].distance == (2, 30.0), "steering takes it"
    reporter.sent(report)
    reporter.measured({routes[0].prefix: 29.6})
    reporter.learned(routes)
    assert reporter.due(2) is None
    reporter.measured({routes[0].prefix: 84.0})
    reporter.learned(routes)
    assert reporter.due(3)["routes"][0]["rtt_ms"] == 84.0


def test_new_prefixes_are_measured_at_once_and_all_of_them_now_and_then():
    one, two = (ip_network(text) for text in ("10.0.0.0/30", "10.0.0.4/30"))
    delays = Delays(30.0)
    assert [delays.due(prefixes, now) for prefixes, now in (({one}, 0), ({one}, 1), ({one, two}, 2), ({one, two}, 30))] == [
        {one}, set(), {two}, {one, two}]  # fmt: skip
    assert Delays(None).due({one}, 0) == set()


def test_a_handshake_that_is_taken_or_refused_is_a_round_trip_and_silence_is_none():
    taken, silent = ip_network("127.0.0.1/32"), ip_network("127.0.0.0/30")
    assert (first_address(taken), first_address(silent), first_address(ip_network("10.0.0.4/31"))) == (
        "127.0.0.1", "127.0.0.1", "10.0.0.4")  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert 0 < measure([taken], 1.0, port)[taken] < 500
    assert 0 < measure([taken], 1.0, port)[taken] < 500, "refused"
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # nobody accepts, and the kernel drops what comes beyond the backlog
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        began = time.monotonic()
        assert measure([taken], 0.2, full.getsockname()[1]) == {}
        assert 0.15 < time.monotonic() - began < 1.0
        for one in waiting:
            one.close()
