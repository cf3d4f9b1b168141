"""Shadow's network graphs as topologies: what Shadow would give a packet, the links give it; what they could not is refused."""

import pytest

from tests.labkit import longhaul
from topologies.emulator import shadow
from topologies.emulator.setting import SettingError
from topologies.shadow_graph import ShadowGraph

NODES = """graph [
  directed {directed}
  node [ id 0 label "a" host_bandwidth_up "10 Mbit" host_bandwidth_down "1 gigabit" ]
  node [ id 7 host_bandwidth_up "2 Mbit" host_bandwidth_down "2 Mbit" ]
  node [ id 9 host_bandwidth_up "3 Mbit" host_bandwidth_down "3 Mbit" ]
  {edges}
]
"""


def edge(source, target, latency="10 ms", more="packet_loss 0.0"):
    return f'edge [ source {source} target {target} latency "{latency}" {more} ]\n'


LINE = edge(0, 7) + edge(7, 9, "40 milliseconds", 'packet_loss 0.25 jitter "1 ms"')


@pytest.fixture
def world(tmp_path):
    def make(edges=LINE, directed=0, **settings):
        (tmp_path / "graph.gml").write_text(NODES.format(edges=edges, directed=directed))
        return ShadowGraph(graph=tmp_path / "graph.gml", **settings)

    return make


def test_a_host_has_its_bandwidth_each_way_and_a_path_the_latencies_of_its_edges(world):
    found = world()
    assert [node.name for node in found.nodes_info if node.role == "client"] == ["node0", "node7", "node9"]
    assert found.path("node0", "node9") == (100.0, 3_000_000), "what node9 may send"
    assert found.path("node9", "node0") == (100.0, 3_000_000), "what node9 may receive"
    assert found.path("node7", "node0")[1] == 2_000_000
    there = {link.name: link.spec for link in found.links_info}["net7-net9"].a_to_b
    assert (there.delay_ms, there.rate_bps, there.loss, there.jitter_ms) == (40.0, None, 0.25, 1.0)


def test_packets_take_the_least_latency_as_in_shadow(world):
    assert world(LINE + edge(0, 9, "60 ms")).path("node0", "node9")[0] == 100.0
    assert world(LINE + edge(0, 9, "45 ms")).path("node0", "node9")[0] == 90.0


def test_a_directed_graph_has_its_own_latency_each_way(world):
    both = edge(0, 7, "5 ms") + edge(7, 0, "30 ms") + edge(7, 9) + edge(9, 7)
    spec = {link.name: link.spec for link in world(both, directed=1).links_info}["net0-net7"]
    assert (spec.a_to_b.delay_ms, spec.b_to_a.delay_ms) == (5.0, 30.0)


def test_hosts_at_one_node_are_joined_by_its_edge_with_itself(world):
    loops = "".join(edge(n, n, f"{n + 1} ms") for n in (0, 7, 9))
    found = world(LINE + loops, per_node="2")
    assert found.path("node7.1", "node7.2")[0] == 16.0
    assert found.path("node0.2", "node9.1")[0] == 100.0
    with pytest.raises(SettingError, match="2 hosts at node 0: the graph has no edge from it to itself"):
        world(per_node="2")


def test_queues_hold_the_bandwidth_delay_product_of_the_longest_round_trip(world):
    specs = {link.name: link.spec for link in world().links_info}
    assert specs["node0-net0"].b_to_a.queue_bytes == 1_000_000_000 * 0.1 / 8
    assert {link.name: link.spec for link in world(queue="64KiB").links_info}["node0-net0"].a_to_b.queue_bytes == 65536


@pytest.mark.parametrize(("edges", "directed", "words"), [
    (edge(0, 7), 0, "not every node can reach every other"),
    (LINE + edge(0, 7), 0, "it is no GML"),
    (edge(0, 7) + edge(7, 0) + edge(7, 9), 1, "edge 7 - 9 has no edge back"),
    (edge(0, 7, "10") + edge(7, 9), 0, "edge 0 - 7, latency: '10' has no unit"),
    (edge(0, 7, "0 ms") + edge(7, 9), 0, "edge 0 - 7 has a latency of nothing"),
    (edge(0, 7, more="packet_loss 1.0") + edge(7, 9), 0, "packet_loss 1.0, which is no number from 0 to below 1"),
    (edge(0, 7, more="bandwidth 3") + edge(7, 9), 0, "edge 0 - 7 has bandwidth, of which nothing would come"),
    (edge(0, 7, more='jitter "20 ms"') + edge(7, 9), 0, "could not specify link net0-net7"),
    ("edge [", 0, "it is no GML"),
])  # fmt: skip
def test_a_graph_that_cannot_be_built_as_it_stands_is_refused(world, edges, directed, words):
    with pytest.raises(ValueError, match="could not") as caught:
        world(edges, directed)
    assert words in str(caught.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingError, match=r"could not read the graph .*No such file"):
        shadow.read(tmp_path / "none.gml")
    (tmp_path / "bytes.gml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="it is not text"):
        shadow.read(tmp_path / "bytes.gml")


@pytest.mark.lab
def test_the_example_is_a_lab_like_any_other():
    done = longhaul("exec", "shadow_graph", "node0", "--", "ping", "-c", "3", "-i", "0.2", "node2", check=0)
    median = float(done.stdout.rpartition("=")[2].split("/")[1])
    assert 138 < median < 146, done.stdout
