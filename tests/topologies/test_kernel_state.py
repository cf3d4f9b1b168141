"""What a lab's kernel says of its nodes, read by pyroute2: another's eyes than those that set them up."""

import pytest
from pyroute2 import IPRoute

from tests.labkit import in_sandbox
from topologies.dumbbell import Dumbbell
from topologies.emulator.lab import Lab
from topologies.emulator.links.netns import entered

pytestmark = pytest.mark.lab


def seen(lab, node):
    """Addresses by interface, routes as destination -> (gateway, congestion control), lasting neighbours."""
    with entered(lab.node(node).pid), IPRoute() as kernel:
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in kernel.get_links()}
        addresses = {names[one["index"]]: f"{one.get_attr('IFA_ADDRESS')}/{one['prefixlen']}" for one in kernel.get_addr()}
        routes = {}
        for one in kernel.get_routes(table=254):
            metrics = one.get_attr("RTA_METRICS")
            routes[f"{one.get_attr('RTA_DST') or 'default'}/{one['dst_len']}"] = [
                one.get_attr("RTA_GATEWAY"), metrics and metrics.get_attr("RTAX_CC_ALGO")]  # fmt: skip
        known = [one for one in kernel.get_neighbours() if one["state"] & 0x80]  # NUD_PERMANENT
        lasting = {one.get_attr("NDA_DST"): one.get_attr("NDA_LLADDR") for one in known}
        return {"addresses": addresses, "routes": routes, "neighbours": lasting}


def test_addresses_routes_and_neighbours_are_those_of_the_plan():
    def work():
        lab = Lab(Dumbbell(pairs="2"))
        return {node: seen(lab, node) for node in ("sender1", "left")}

    found = in_sandbox(work)
    plans = Dumbbell(pairs="2").plans
    for node, state in found.items():
        for interface in plans[node].interfaces:
            assert state["addresses"][interface.name] == f"{interface.address}/30"
            assert state["neighbours"][interface.peer_address] == interface.peer_mac
            assert f"{interface.peer_address}/32" in state["routes"]
        for target, via, _ in plans[node].routes:
            assert state["routes"][f"{target}/32"][0] == via
    assert found["sender1"]["routes"]["default/0"] == [plans["sender1"].default[0], "cubic"]
