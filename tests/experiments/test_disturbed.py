"""What a fault did to requests, and who is whose member: pure, from rows and from a topology."""

from experiments.harness import balanced, disturbed
from topologies.open_connect import OpenConnect


def row(due_ms, latency_ms=30.0, *, tries=1, error="", node="edge1"):
    return {"due_ms": due_ms, "latency_ms": None if error else latency_ms, "tries": tries, "error": error, "node": node}


ROWS = [row(0), row(900, tries=2), row(1000), row(1100, 1030, tries=2, node="edge2"), row(1900, error="no answer"),
        row(2100, 34, node="edge2"), row(2500, 36, node="edge2"), row(3200, 30)]  # fmt: skip


def test_a_fault_reaches_what_failed_and_what_was_sent_twice_after_it_began():
    assert [one["due_ms"] for one in disturbed.touched(ROWS)] == [900, 1100, 1900]
    assert disturbed.moved_ms(ROWS, 1000.0) == 900.0
    assert disturbed.moved_ms(ROWS, 2000.0) == 0.0


def test_a_node_is_back_with_the_first_request_that_it_answers():
    assert disturbed.back_ms(ROWS, 3000.0, ["edge1"]) == 200.0
    assert disturbed.back_ms(ROWS, 3000.0, ["edge2"]) is None


def test_medians_leave_failures_out_and_failures_are_counted():
    assert disturbed.p50_ms(ROWS, 1800.0, 3000.0) == 35.0
    assert disturbed.p50_ms(ROWS, 5000.0, 6000.0) is None
    assert (disturbed.failed(ROWS, 0.0, 2000.0), disturbed.failed(ROWS, 2000.0, 4000.0)) == (1, 0)


def test_members_follow_from_the_topology():
    world = OpenConnect(edges="Mumbai,Frankfurt", zones="2", edges_per_zone="2", zone_rtts="1ms,6ms", balancers="two-tier")
    nodes = balanced.site(world, "mumbai")
    assert nodes == {"az1": ["edge1.az1.mumbai", "edge2.az1.mumbai"], "az2": ["edge1.az2.mumbai", "edge2.az2.mumbai"]}
    found = balanced.members(world, "balancer.mumbai", nodes)
    assert found["zones"] == {"az1": {"distance": "1ms"}, "az2": {"distance": "6ms"}}
    assert found["nodes"]["edge2.az2.mumbai"] == {"zone": "az2"}
