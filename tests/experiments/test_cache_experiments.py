"""What the experiments of the cache predict, and how they read what happened; one of them run in a lab."""

import json

import pytest

from experiments.harness import caching
from experiments.harness.needs import Machine, Needs, lacking
from experiments.nearest_read import NearestRead
from experiments.partition import Look, _curve, _has, _newest
from experiments.ram_or_ssd import RamOrSsd
from experiments.stampede import Stampede
from experiments.write_policies import WritePolicies
from experiments.zone_loss import ZoneLoss
from results.history import Operation
from tests.labkit import longhaul, rows


def of(kind, **given):
    return kind(kind.topology(**kind.topology_settings), given)


def test_a_write_is_predicted_by_the_order_statistic_of_its_copies():
    one = of(WritePolicies)
    found = {(arm["copies"], arm["policy"]): one.predicted_ms(arm) for arm in one.arms()}
    # The truth is half a millisecond away, the zones 0, 1 and 1; Dublin is 67 ms from Virginia and Mumbai 201, and a ms more.
    assert [found["zones", policy] for policy in ("none", "one", "quorum", "all-minus-1", "all")] == [0.5, 0.5, 1, 1, 1]
    assert [found["regions", policy] for policy in ("none", "one", "quorum", "all-minus-1", "all")] == [0.5, 0.5, 68, 68, 202]
    claims = {claim["name"]: claim for claim in one.claims()}
    assert (claims["write, regions, all"]["metric"], claims["write, regions, all"]["high"]) == ("write_ms", 213.1)
    assert claims["write, zones, one, beyond that"]["metric"] == "beyond_ms"


def test_a_read_is_predicted_by_where_its_value_is():
    one = of(NearestRead)
    assert {place: one.predicted_ms(place) for place in one.places()} == {
        "same zone": 0, "other zone": 1, "other region": 31, "truth": 201.5,
    }  # fmt: skip
    assert one.places()["other region"] == "cache1.az1.chennai"


def test_what_the_money_buys():
    one = of(RamOrSsd)
    assert one.ssd_bytes() == 16 * 2**20 * 35
    assert one.price() == pytest.approx(350 / 32)
    hits = {claim["where"]["store"]: claim["predicted"] for claim in one.claims()
            if claim["metric"] == "hit_fraction" and claim["where"]["zipf"] == "0.8"}  # fmt: skip
    assert 0.5 < hits["ram"] < hits["ssd"] == hits["ram-over-ssd"] == hits["files"] == 1
    with pytest.raises(ValueError, match="could not buy an SSD"):
        of(RamOrSsd, ram_beside="30MiB").ssd_bytes()


def test_a_slow_link_costs_a_write_its_round_trip_and_reads_what_is_not_sealed_yet():
    one = of(ZoneLoss)
    claims = {claim["metric"]: claim for claim in one.claims() if claim["where"] == {"fault": "slowed"}}
    # the copy in another zone costs a second one where somebody else wrote the key last
    assert (claims["put_more_ms"]["low"], claims["put_more_ms"]["high"]) == (75, 173)
    # 45 writes a second of 500 keys: 6.4 % of the reads in the zone come within the 80 ms before the seal
    assert claims["local_out_fraction"]["low"] == pytest.approx(0.85, abs=0.005)
    assert claims["local_out_fraction"]["high"] == pytest.approx(0.968, abs=0.001)


def test_every_one_needs_memcached_and_has_claims_about_its_own_columns():
    for kind in (WritePolicies, NearestRead, RamOrSsd, Stampede, ZoneLoss):
        one = of(kind)
        assert one.needs() == Needs(programs=("memcached",))
        assert {claim["metric"] for claim in one.claims()} <= set(one.columns)
    here = Machine(lambda name: "", 1e9, 2, lambda name: f"no {name}")
    assert lacking(Needs(programs=("memcached",)), here) == ["no memcached"]


def put(key, version, ok=True):
    return Operation("put", key, "v", version, 0, 1, ok)


def test_sources_of_truth_agree_when_both_have_the_newest_of_each_key():
    newest = _newest([put("a", 2), put("a", 3), put("a", 9, ok=False), put("b", 1), Operation("get", "c", None, 7)])
    assert newest == {"a": 3, "b": 1}
    assert _has(Look(0, [{"a": 3, "b": 1}, {"a": 4, "b": 1}]), newest)
    assert not _has(Look(0, [{"a": 3, "b": 1}, {"a": 2, "b": 1}]), newest)
    assert not _has(Look(0, [{"a": 3, "b": 1}, {"a": 3}]), newest)


def test_the_curve_has_the_stalest_read_of_each_half_second():
    curve = _curve([("x", -0.1, 0.0), ("x", 0.1, 0.05), ("x", 0.4, 0.02), ("y", 0.4, 0.0), ("x", 0.6, 0.0)])
    assert [(row["node"], row["at_s"], row["reads"], row["stale_reads"], row["stalest_ms"]) for row in curve] == [
        ("x", -0.5, 1, 0, 0), ("x", 0.0, 2, 2, 50), ("x", 0.5, 1, 0, 0), ("y", 0.0, 1, 0, 0),
    ]  # fmt: skip


def test_numbers_of_a_daemon_are_read_by_name_and_labels():
    text = '# TYPE a_total counter\na_total{node="x",zone="z"} 3\na_total{node="x",zone="y"} 4\nab_total{node="x"} 9\n'
    assert caching.metric(text, "a_total") == 7
    assert caching.metric(text, "a_total", zone="z") == 3
    assert caching.text_of("dmFsdWUgIA==") == "value"


@pytest.mark.slow
@pytest.mark.lab
def test_a_stampede_loads_once_in_each_zone(tmp_path):
    out = tmp_path / "run"
    smaller = [word for one in ("clients=300", "processes=1", "warmup=0") for word in ("--set", one)]
    said = json.loads(longhaul("run", "stampede", *smaller, "--repetitions", "1", "--json", "--out", out, check=0).stdout)
    assert said["outcome"] == "holds"
    loads = {row["misses"]: float(row["loads"]) for row in rows(out)}
    assert 1 <= loads["collapsed"] <= 3
    assert 150 <= loads["apart"] <= 300
