"""The table of prefixes against the plainest way to find them: look at every one."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.steering.prefixes import Prefixes
from nodes.steering.routes import Route, RouteError, parse


def route(prefix, *path, rtt_ms=None):
    return Route(ipaddress.ip_network(prefix), path, "10.0.0.1", rtt_ms)


def table(**by_site):
    made = Prefixes()
    for site, routes in by_site.items():
        made.replace(site, f"edge.{site}", routes)
    return made


def found(prefixes, address):
    return [(length, [one.site for one in rows]) for length, rows in prefixes.covering(ipaddress.ip_address(address))]


def test_the_longest_prefix_comes_first_and_the_others_follow():
    made = table(a=[route("10.0.0.0/8", 1)], b=[route("10.1.0.0/16", 1)], c=[route("0.0.0.0/0", 1)],
                 d=[route("10.2.0.0/16", 1)])  # fmt: skip
    assert found(made, "10.1.2.3") == [(16, ["b"]), (8, ["a"]), (0, ["c"])]
    assert found(made, "192.0.2.1") == [(0, ["c"])]


def test_ipv6_and_ipv4_do_not_mix():
    made = table(a=[route("::/0", 1), route("2001:db8::/32", 1), route("2001:db8::1/128", 1)], b=[route("0.0.0.0/0", 1)])
    assert found(made, "2001:db8::1") == [(128, ["a"]), (32, ["a"]), (0, ["a"])]
    assert found(made, "32.1.13.184") == [(0, ["b"])], "the same bits as 2001:db8::"


@pytest.mark.parametrize(("near", "far"), [
    (route("10.0.0.0/8", 1), route("10.0.0.0/8", 1, 2)),
    (route("10.0.0.0/8"), route("10.0.0.0/8", 1)),
    (route("10.0.0.0/8", 1, rtt_ms=30), route("10.0.0.0/8", 1, 2, rtt_ms=1)),
    (route("10.0.0.0/8", 1, rtt_ms=15), route("10.0.0.0/8", 1, rtt_ms=30)),
    (route("10.0.0.0/8", 1, rtt_ms=300), route("10.0.0.0/8", 1)),
])  # fmt: skip
def test_as_path_length_comes_before_delay_and_an_unknown_delay_is_last(near, far):
    assert found(table(z=[near], a=[far]), "10.0.0.1") == [(8, ["z", "a"])]
    assert found(table(a=[far], z=[near]), "10.0.0.1") == [(8, ["z", "a"])]


def test_a_speaker_is_replaced_as_a_whole_and_others_stay():
    made = table(a=[route("10.0.0.0/8", 1), route("11.0.0.0/8", 1)], b=[route("10.0.0.0/8", 1, 2)])
    assert made.replace("a", "edge.a", [route("11.0.0.0/8", 1)]) == 1
    assert found(made, "10.0.0.1") == [(8, ["b"])]
    assert found(made, "11.0.0.1") == [(8, ["a"])]
    assert made.replace("a", "edge.a", [route("11.0.0.0/8", 1)]) == 0, "nothing is new"
    assert made.replace("a", "edge.a", []) == 1
    assert len(made) == 1


@pytest.mark.parametrize(("announced", "asked", "scope"), [
    (["10.0.0.0/8"], "10.1.2.3", 8),
    (["10.0.0.0/8", "10.1.0.0/16"], "10.1.2.3", 16),
    (["10.0.0.0/8", "10.1.0.0/16"], "10.0.2.3", 16),
    (["10.0.0.0/8", "10.1.0.0/16"], "10.128.0.1", 9),
    (["0.0.0.0/0"], "10.1.2.3", 0),
    ([], "10.1.2.3", 0),
    (["10.1.2.2/32"], "10.1.2.3", 32),
    (["10.0.0.0/24", "10.0.0.0/32"], "10.0.0.1", 32),
    (["2001:db8::/32"], "2001:db9::1", 32),
])  # fmt: skip
def test_the_scope_is_the_largest_part_of_the_net_with_one_answer(announced, asked, scope):
    assert table(a=[route(prefix, 1) for prefix in announced]).scope(ipaddress.ip_address(asked)) == scope


networks = st.one_of(
    st.builds(lambda n, length: ipaddress.ip_network((n >> (32 - length) << (32 - length), length)),
              st.integers(0, 15).map(lambda n: n << 27 | n), st.integers(0, 32)),
    st.builds(lambda n, length: ipaddress.ip_network((n >> (128 - length) << (128 - length), length)),
              st.integers(2**124, 2**124 + 15), st.integers(0, 128)),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.tuples(networks, st.integers(0, 3)), max_size=8)), max_size=8))
def test_after_any_reports_it_finds_what_looking_at_all_finds(reports):
    made, told = Prefixes(), {}
    for site, routes in reports:
        made.replace(site, site, [Route(network, tuple(range(1, hops + 1))) for network, hops in routes])
        best = {}
        for network, hops in routes:
            best[network] = min(hops, best.get(network, hops))
        told[site] = best
    for address in (ipaddress.ip_address(n) for n in (0, 1 << 27 | 1, 2**31, 2**124, 2**124 + 9)):
        covering = [(-network.prefixlen, hops, site) for site, best in told.items() for network, hops in best.items()
                    if network.version == address.version and address in network]  # fmt: skip
        listed = [(-length, len(one.route.as_path), one.site) for length, rows in made.covering(address) for one in rows]
        assert listed == sorted(covering)
        scope = made.scope(address)
        part = ipaddress.ip_network(f"{address}/{scope}", strict=False)
        everything = {network for best in told.values() for network in best if network.version == address.version}
        assert not [network for network in everything if network != part and network.subnet_of(part)]
    assert len(made) == len({network for best in told.values() for network in best})


@pytest.mark.parametrize(("value", "cause"), [
    ("10.0.0.0/8", "is not a route"),
    ({"prefix": "10.0.0.1/8"}, "host bits"),
    ({"prefix": "10.0.0.1"}, "is not a prefix"),
    ({"prefix": 7}, "is not a prefix"),
    ({"prefix": "10.0.0.0/8", "as_path": [0]}, "an AS number is from 1"),
    ({"prefix": "10.0.0.0/8", "as_path": [2**32]}, "an AS number is from 1"),
    ({"prefix": "10.0.0.0/8", "as_path": "64500"}, "is not a list"),
    ({"prefix": "10.0.0.0/8", "as_path": [1] * 256}, "at most 255"),
    ({"prefix": "10.0.0.0/8", "rtt_ms": -1}, "rtt_ms"),
    ({"prefix": "10.0.0.0/8", "rtt_ms": float("nan")}, "rtt_ms"),
    ({"prefix": "10.0.0.0/8", "rtt_ms": True}, "rtt_ms"),
    ({"prefix": "10.0.0.0/8", "delay_source": "guessed"}, "neither measured nor published"),
    ({"prefix": "10.0.0.0/8", "med": 5}, "no field 'med'"),
])  # fmt: skip
def test_a_route_that_cannot_be_is_refused(value, cause):
    with pytest.raises(RouteError, match=cause):
        parse(value)
