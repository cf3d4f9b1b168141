"""The control plane in a running lab: anycast by real BGP, DNS with a far resolver, one request explained. With
LONGHAUL_EXPERIMENTS set, misses, withdrawals and fill too, each as it is."""

import json
import os

import pytest

from nodes.http.failure import Failure
from nodes.programs import program
from tests.labkit import longhaul, manifest, rows

pytestmark = [pytest.mark.lab, pytest.mark.slow]

try:
    program("bird", "bird2")
except Failure:
    pytest.skip("BIRD is not here: sudo ./provision.sh --peers", allow_module_level=True)

ALL = pytest.mark.skipif("LONGHAUL_EXPERIMENTS" not in os.environ, reason="minutes: set LONGHAUL_EXPERIMENTS")
ONCE = ("--repetitions", "1", "--set", "most_repetitions=3", "--set", "warmup=0")


@pytest.fixture(scope="module")
def modes(tmp_path_factory):
    """One trial of each arm of steering-modes."""
    out = tmp_path_factory.mktemp("modes") / "run"
    longhaul("run", "steering-modes", *ONCE, "--set", "size=64KiB", "--out", out, check=0)
    return out


def test_each_way_leads_where_the_routes_and_the_resolver_say(modes):
    assert manifest(modes)["verdict"]["outcome"] == "holds"
    found = {(row["client"], row["by"]): row["site"] for row in rows(modes)}
    assert {by: site for (client, by), site in found.items() if client == "chennai"} == {
        "nearest": "mumbai", "ranked": "mumbai", "dns": "singapore", "dns with subnet": "mumbai",
        "anycast": "london"}  # fmt: skip
    assert {site for (client, _), site in found.items() if client == "tokyo"} == {"singapore"}


def test_why_tells_a_requests_way(modes):
    trial = {(row["client"], row["by"]): row["trial"] for row in rows(modes)}
    way = json.loads(longhaul("why", modes, "--request", trial["chennai", "dns"], "--json", check=0).stdout)
    assert [step["node"] for step in way["steps"]] == [
        "client.chennai", "resolver.singapore", "steering.virginia", "client.chennai", "edge.singapore"]  # fmt: skip
    assert "which is not the client" in way["steps"][2]["what"]
    assert way["missing"] == []
    said = longhaul("why", modes, "--request", trial["chennai", "ranked"], check=0).stdout
    assert "/32 is announced to mumbai; AS path of 1" in said
    assert "edge.mumbai: answers 200: TCP_HIT" in said


@ALL
@pytest.mark.parametrize("name", ["bgp-withdraw", "fill-or-lru"])
def test_what_is_claimed_of_the_control_plane_holds(tmp_path, name):
    longhaul("run", name, "--repetitions", "1", "--set", "warmup=0", "--out", tmp_path / "run", check=0)


@ALL
def test_what_the_nearest_edge_does_not_serve_is_labelled_in_logs_metrics_trials_and_report(tmp_path):
    out = tmp_path / "run"
    longhaul("run", "misses", *ONCE, "--out", out, check=0)
    assert manifest(out)["verdict"]["outcome"] == "holds"
    found = {row["the nearest edge"]: (row["rank"], row["site"], row["miss"], row["trial"]) for row in rows(out)}
    assert [one[:3] for one in (found["serves"], found["lacks the file"], found["died a moment ago"])] == [
        ("0", "mumbai", ""), ("1", "london", "content"), ("1", "london", "health")]  # fmt: skip
    log = [json.loads(line) for line in (out / "logs/edge.london.jsonl").read_text().splitlines()]
    assert sorted(line["steered"]["miss"] for line in log if "steered" in line) == ["content", "health"]
    page = (out / "report.html").read_text()
    assert "What the nearest site did not serve" in page
    way = json.loads(longhaul("why", out, "--request", found["died a moment ago"][3], "--json", check=0).stdout)
    (tried,) = [step for step in way["steps"] if step["what"].startswith("tries rank 0 (mumbai)")]
    assert tried["details"][0].endswith("counted as health")
