"""What BIRD of each network of the small internet is told: its neighbours, what it announces, and what becomes a route."""

import subprocess
from types import SimpleNamespace

import pytest

from experiments.harness.daemon import StageError
from experiments.harness.routing import Routing, network_of
from nodes.http.failure import Failure
from nodes.programs import program
from topologies.emulator.topology import Topology
from topologies.internet import ANYCAST, Internet

SITES = {f"site.{place}": f"edge.{place}" for place in ("london", "mumbai", "singapore")}


@pytest.fixture
def routing(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGHAUL_SCRATCH", str(tmp_path))

    def make(world, **more):
        return Routing(SimpleNamespace(lab=SimpleNamespace(topology=world)), **more)

    return make


def test_every_peering_is_a_session_at_both_ends_of_its_link_or_between_known_addresses(routing):
    world = Internet()
    texts = routing(world).texts()
    assert sum(text.count("protocol bgp") for text in texts.values()) == 2 * len(world.peerings)
    isp, site = (world.plans[name].address for name in ("isp.chennai", "site.mumbai"))
    assert f"local {isp} as 64510;\n  neighbor {site} as 64509;\n  multihop" in texts["isp.chennai"]
    assert f"local {site} as 64509;\n  neighbor {isp} as 64510;\n  multihop" in texts["site.mumbai"]
    assert texts["isp.tokyo"].count("protocol bgp") == 1


def test_hosts_networks_are_announced_and_single_clients_to_the_listener_alone(routing):
    world = Internet()
    text = routing(world).texts()["isp.chennai"]
    client = world.plans["client.chennai"].address
    assert f"route {network_of(world, 'client.chennai')} unreachable;" in text
    assert f"if net ~ [ {client}/32 ] then reject;" in text
    (line,) = [line for line in text.splitlines() if line.startswith("filter to_listener_site_mumbai")]
    assert client not in line


def test_the_anycast_address_is_announced_by_every_site_and_a_route_of_every_kernel(routing):
    texts = routing(Internet(), address=ANYCAST, sites=SITES).texts()
    assert {name for name, text in texts.items() if "route 192.0.2.0/24 unreachable;" in text} == set(SITES)
    assert all("net ~ [ 192.0.2.0/24+ ]" in text for text in texts.values())
    assert not any("192.0.2" in text or "protocol kernel" in text for text in routing(Internet()).texts().values())


def test_bird_takes_them(routing, tmp_path):
    try:
        bird = program("bird", "bird2")
    except Failure as failure:
        pytest.skip(str(failure))
    for name, text in routing(Internet(), address=ANYCAST, sites=SITES).texts().items():
        file = tmp_path / f"{name}.conf"
        file.write_text(text)
        done = subprocess.run([bird, "-p", "-c", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_neighbours_without_a_link_cannot_speak_and_sessions_that_are_none_cannot_end(routing):
    class Apart(Topology):
        def build(self):
            for name in "abc":
                self.router(name)
            self.cable("a", "b")
            self.cable("b", "c")
            for number, name in enumerate("ac", 1):
                self.system(name, number)
            self.peering("a", "c", "peer")

    with pytest.raises(StageError, match="no link is between them"):
        routing(Apart()).texts()
    with pytest.raises(StageError, match=r"could not find the session of west with isp\.tokyo"):
        routing(Internet()).withdraw("west", "isp.tokyo")
