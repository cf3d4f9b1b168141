"""LRU and FIFO against what theory says of them under independent requests, within half a point."""

from __future__ import annotations

import pytest

from nodes.edge.simulator.requests import Chunk
from nodes.edge.simulator.simulation import simulate
from tests.nodes.policies.approximations import fifo_hit_ratio, lru_hit_ratio, requests, zipf


def test_the_approximations_give_the_published_figures() -> None:
    probabilities = zipf(10_000, 0.8)
    assert round(lru_hit_ratio(probabilities, 1000), 3) == 0.437
    assert round(fifo_hit_ratio(probabilities, 1000), 3) == 0.394


@pytest.mark.parametrize(("objects", "share", "alpha"), [(10_000, 0.1, 0.8), (10_000, 0.01, 0.8), (5_000, 0.3, 1.0),
                                                         (10_000, 0.1, 0.5), (2_000, 0.05, 1.2)])  # fmt: skip
def test_simulated_hit_ratios_are_those_of_theory(objects: int, share: float, alpha: float) -> None:
    probabilities, capacity, warm_up = zipf(objects, alpha), int(objects * share), 20 * objects
    keys = requests(probabilities, warm_up + 600_000, seed=1).tolist()
    trace = [Chunk(keys, [1] * len(keys))]
    lru = simulate(trace, "lru", capacity, warm_up=warm_up).tally
    fifo = simulate(trace, "fifo", capacity, warm_up=warm_up).tally
    assert lru.requests == fifo.requests == 600_000
    assert lru.object_hit_ratio == pytest.approx(lru_hit_ratio(probabilities, capacity), abs=0.005)
    assert fifo.object_hit_ratio == pytest.approx(fifo_hit_ratio(probabilities, capacity), abs=0.005)


def test_clock_is_near_lru_and_the_newer_policies_are_above_it_on_zipf() -> None:
    probabilities = zipf(10_000, 0.8)
    keys = requests(probabilities, 120_000, seed=2).tolist()
    trace = [Chunk(keys, [1] * len(keys))]
    ratio = {policy: simulate(trace, policy, 1000, warm_up=60_000).tally.object_hit_ratio
             for policy in ("fifo", "lru", "clock", "slru", "sieve", "s3fifo", "w-tinylfu", "gdsf")}  # fmt: skip
    assert ratio["fifo"] < ratio["lru"] < ratio["clock"]
    assert all(ratio[policy] > ratio["lru"] + 0.04 for policy in ("slru", "sieve", "s3fifo", "w-tinylfu", "gdsf"))
