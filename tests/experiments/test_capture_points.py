"""Which interfaces a text means when it says where to capture."""

import pytest

from experiments.edge_vs_origin import EdgeVsOrigin
from experiments.harness import capture_plan
from experiments.harness.points import points
from topologies.emulator.links.backend import UnsupportedError
from topologies.emulator.setting import SettingError
from topologies.open_connect import OpenConnect
from topologies.two_hosts import TwoHosts

WORLD = OpenConnect()


def names(*texts):
    return [point.name for point in points(WORLD, texts)]


def test_a_node_is_its_first_interface_and_a_host_is_called_by_its_own_name():
    (point,) = points(WORLD, ["client1.chennai"])
    assert (point.name, point.interface, point.file) == ("client1.chennai", "eth0", "client1.chennai")


def test_an_interface_of_a_router_is_called_for_what_it_faces():
    assert names("router.mumbai:to-virginia") == ["router.mumbai:to-virginia"]
    assert len(names("router.mumbai:*")) == len(WORLD.plans["router.mumbai"].interfaces)
    assert points(WORLD, ["router.mumbai:to-virginia"])[0].file == "router.mumbai.to-virginia"


@pytest.mark.parametrize("text", ["virginia-mumbai", "mumbai-virginia", "router.mumbai-virginia", "mumbai > virginia"])
def test_a_link_is_both_its_ends_whatever_it_is_called(text):
    assert sorted(names(text)) == ["router.mumbai:to-virginia", "router.virginia:to-mumbai"]


def test_a_star_is_both_ends_of_every_emulated_link_and_no_cable():
    emulated = [link for link in WORLD.links_info if not link.spec.unshaped]
    assert len(names("*")) == 2 * len(emulated)


def test_a_point_named_twice_is_one_and_the_order_stays():
    assert names("client1.chennai", "virginia-mumbai", "client1.chennai", "router.virginia:to-mumbai") == [
        "client1.chennai", "router.virginia:to-mumbai", "router.mumbai:to-virginia"]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [
    ("client1.chenai", "no such node or link; did you mean client1.chennai?"),
    ("router.mumbai:eth7", "router.mumbai has no such interface"),
    ("virginia-mumbay", "did you mean virginia-mumbai?"),
])  # fmt: skip
def test_what_is_not_there_is_refused_with_the_nearest_name(text, words):
    with pytest.raises(SettingError, match=words):
        points(WORLD, [text])


def test_a_user_adds_to_what_the_experiment_captures_and_only_the_latter_is_held_against_a_trial():
    wanted = {"capture.points": "virginia-mumbai", "capture.snap": "0B", "capture.merged": "no"}
    plan = capture_plan.plan(EdgeVsOrigin(WORLD, wanted))
    assert [point.name for point in plan.points] == [*EdgeVsOrigin(WORLD, {}).nodes(), "router.virginia:to-mumbai",
                                                     "router.mumbai:to-virginia"]  # fmt: skip
    assert len(plan.own) == 3
    assert (plan.snap_bytes, plan.merged, plan.relay, plan.keys) == (262_144, False, False, False)


def test_a_snap_length_that_would_cut_headers_is_refused():
    with pytest.raises(SettingError, match="would cut headers"):
        EdgeVsOrigin(WORLD, {"capture.snap": "96B"})


def test_a_tool_that_is_missing_is_said_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(capture_plan.shutil, "which", lambda tool: None if tool == "mergecap" else tool)
    assert not capture_plan.plan(EdgeVsOrigin(WORLD, {})).merged
    with pytest.raises(UnsupportedError, match="mergecap was not found"):
        capture_plan.plan(EdgeVsOrigin(WORLD, {"capture.merged": "yes"}))
    monkeypatch.setattr(capture_plan.shutil, "which", lambda tool: None)
    with pytest.raises(UnsupportedError, match="tcpdump was not found"):
        capture_plan.plan(EdgeVsOrigin(WORLD, {}))


def test_a_smaller_world_names_its_own():
    assert [point.name for point in points(TwoHosts(), ["*"])] == ["client", "server"]
