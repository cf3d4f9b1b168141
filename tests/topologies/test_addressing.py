"""A plan as the kernel is asked for it: what every request says, checked without a kernel."""

import struct

import pytest

from topologies.emulator import addressing
from topologies.emulator.links.netlink import attributes
from topologies.emulator.plan import Interface, NodePlan

PLAN = NodePlan(
    interfaces=[Interface("eth0", "10.0.0.1", "02:00:00:00:00:01", "10.0.0.2", "02:00:00:00:00:02", 0)],
    routes=[("10.0.0.6", "10.0.0.2", "eth0")],
    default=("10.0.0.2", "eth0"),
    policies=[("10.0.0.9", "10.0.0.6", "10.0.0.2", "eth0")],
)
NUMBERS = {"eth0": 7}


def test_an_address_has_the_prefix_of_its_link_and_a_neighbour_lasts():
    address, neighbour = addressing.addresses(PLAN, NUMBERS)
    assert address.body[1] == 30
    assert struct.unpack_from("I", address.body, 4) == (7,)
    assert attributes(address.body, 8)[addressing.IFA_LOCAL] == bytes([10, 0, 0, 1])
    assert struct.unpack_from("iH", neighbour.body, 4) == (7, addressing.PERMANENT)
    assert attributes(neighbour.body, 12) == {addressing.NDA_DST: bytes([10, 0, 0, 2]), addressing.NDA_LLADDR: b"\2\0\0\0\0\2"}


def test_routes_come_with_their_metrics_neighbours_first():
    found = addressing.routes(PLAN, NUMBERS, {"cc_algo": "cubic", "initcwnd": 10})
    assert [request.what for request in found] == ["route to 10.0.0.2", "route to 10.0.0.6", "route to everything else"]
    assert [request.body[1] for request in found] == [32, 32, 0]
    for request in found:
        terms = attributes(attributes(request.body, 12)[addressing.RTA_METRICS])
        assert terms == {16: b"cubic\0", 11: struct.pack("I", 10)}
        assert attributes(request.body, 12)[addressing.RTA_PREFSRC] == bytes([10, 0, 0, 1])
    assert addressing.RTA_GATEWAY not in attributes(found[0].body, 12)


def test_a_policy_is_a_table_of_its_own_and_the_rule_that_leads_there():
    route, rule = addressing.policies(PLAN, NUMBERS)
    assert attributes(route.body, 12)[addressing.RTA_TABLE] == attributes(rule.body, 12)[addressing.FRA_TABLE]
    assert struct.unpack("I", attributes(rule.body, 12)[addressing.FRA_PRIORITY]) == (1000,)
    assert attributes(rule.body, 12)[addressing.FRA_SRC] == bytes([10, 0, 0, 9])
    assert attributes(rule.body, 12)[addressing.FRA_DST] == bytes([10, 0, 0, 6])


@pytest.mark.parametrize("ask", [addressing.addresses, addressing.policies,
                                 lambda plan, numbers: addressing.routes(plan, numbers, {})])  # fmt: skip
def test_an_interface_that_is_not_there_is_a_key_error(ask):
    with pytest.raises(KeyError, match="eth0"):
        ask(PLAN, {})
