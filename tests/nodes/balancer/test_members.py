"""Members: what is accepted, and the words for what is not."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.balancer.members import MembersError, from_json, from_toml, merged, parse

GOOD = {"zones": {"az1": {"distance": "2ms"}, "az2": {"distance": "40ms", "capacity": 3}},
        "nodes": {"n1": {"zone": "az1", "url": "http://10.0.0.1:80"},
                  "n2": {"zone": "az2", "url": "http://10.0.0.2:80", "weight": 2, "drain": True}}}  # fmt: skip
TOML = """
[zones.az1]
distance = "2ms"
[zones.az2]
distance = "40ms"
capacity = 3
[nodes.n1]
zone = "az1"
url = "http://10.0.0.1:80"
[nodes.n2]
zone = "az2"
url = "http://10.0.0.2:80"
weight = 2
drain = true
"""


def test_toml_and_json_say_the_same_and_come_back_as_they_were():
    members = parse(GOOD)
    assert members == from_toml(TOML) == from_json(json.dumps(GOOD)) == parse(members.data())
    assert (members.zones["az1"].distance_ms, members.zones["az2"].capacity) == (2.0, 3.0)
    assert (members.nodes["n2"].weight, members.nodes["n2"].drain, members.nodes["n2"].url) == (2.0, True, "http://10.0.0.2:80")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": {"n1": {"zone": "az9"}}}, "node 'n1' is in zone 'az9', which is not there; zones are az1, az2"),
        ({"zones": {"az1": None}}, "node 'n1' is in zone 'az1', which is not there"),
        ({"nodes": {"n2": {"url": "http://10.0.0.1:80"}}}, "nodes 'n1' and 'n2' are both at http://10.0.0.1:80"),
        ({"nodes": {"n1": {"weight": 0}}}, "node 'n1' has weight 0: a number above zero is allowed"),
        ({"nodes": {"n1": {"weight": -1}}}, "weight -1: a number above zero"),
        ({"nodes": {"n1": {"weight": "2"}}}, "weight '2': a number above zero"),
        ({"nodes": {"n1": {"weight": True}}}, "above zero"),
        ({"nodes": {"n1": {"weight": float("inf")}}}, "above zero"),
        ({"nodes": {"n1": {"drain": "yes"}}}, "drain 'yes'; true and false are allowed"),
        ({"nodes": {"n1": {"url": "ftp://x"}}}, "url 'ftp://x': 'ftp://x' is not http://HOST:PORT"),
        ({"nodes": {"n1": {"wieght": 1}}}, "node 'n1': 'wieght' is not known; zone, url, weight, drain are"),
        ({"nodes": {"n1": None, "n2": None}}, "there is no node"),
        ({"nodes": {"n3": {"drain": True}}}, "there is no node 'n3' to change; there are n1, n2"),
        ({"nodes": {"n 3": {"url": "http://a", "zone": "az1"}}}, "'n 3' is not a name"),
        ({"nodes": {"n3": {"url": "http://a"}}}, "node 'n3' has no zone"),
        ({"nodes": [1]}, "nodes: [1] is not a table of names"),
        ({"zones": {"az1": {"distance": 2}}}, "zone 'az1' has distance 2: a text with a unit"),
        ({"zones": {"az1": {"distance": "2"}}}, "has no unit"),
        ({"zones": {"az1": {"distance": "-2ms"}}}, "zone 'az1' has distance '-2ms'"),
        ({"zones": {"az1": {"capacity": 0}}}, "zone 'az1' has capacity 0: a number above zero"),
        ({"nods": {}}, "'nods' is not known; zones, nodes are"),
        ([], "a change is an object"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(change, words):
    before = parse(GOOD)
    with pytest.raises(MembersError) as told:
        merged(before, change)
    assert words in str(told.value)
    assert before == parse(GOOD)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not JSON"), ('{"nodes": {"a": {}, "a": {}}}', "'a' stands twice"), ("[]", "not a table"),
     ("{}", "there is no node"), ("[" * 100_000, "not JSON")],
)  # fmt: skip
def test_json_that_cannot_be(text, words):
    with pytest.raises(MembersError, match=words):
        from_json(text)


def test_toml_that_cannot_be():
    with pytest.raises(MembersError, match="it is not TOML"):
        from_toml(TOML + '[nodes.n1]\nzone = "az1"\n')


def test_a_change_adds_changes_and_removes():
    members = merged(parse(GOOD), {"nodes": {"n1": {"weight": 5}, "n2": None, "n3": {"zone": "az2", "url": "http://10.0.0.3"}}})
    assert list(members.nodes) == ["n1", "n3"]
    assert members.nodes["n1"].weight == 5


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["zones", "nodes", "n1", "az1", "url", "zone", "weight", "drain"]), inner, max_size=4),
                    max_leaves=12))  # fmt: skip
def test_whatever_is_sent_is_members_or_one_kind_of_error(change):
    with contextlib.suppress(MembersError):
        assert merged(parse(GOOD), change).nodes
