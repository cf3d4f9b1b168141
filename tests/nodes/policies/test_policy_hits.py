"""Exact hits of every policy, on a small trace and on any, as the papers have them."""

from __future__ import annotations

from pathlib import Path

import naive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.edge.policies.machinery import catalogue
from nodes.edge.policies.machinery.sketch import MOST, Sketch
from nodes.edge.simulator.requests import Chunk, with_next_uses
from nodes.edge.simulator.simulation import Result, simulate
from nodes.edge.simulator.trace import Trace

TRACE = Path(__file__).parent / "trace.txt"
POLICIES = catalogue.policy_names()

HITS = {  # capacity in bytes: hits of 1,000 requests
    "belady": {100: 485, 400: 708, 1200: 874},
    "clock": {100: 231, 400: 514, 1200: 825},
    "fifo": {100: 205, 400: 463, 1200: 808},
    "gdsf": {100: 418, 400: 705, 1200: 867},
    "lru": {100: 222, 400: 509, 1200: 839},
    "s3fifo": {100: 342, 400: 557, 1200: 833},
    "sieve": {100: 299, 400: 537, 1200: 829},
    "slru": {100: 336, 400: 545, 1200: 834},
    "w-tinylfu": {100: 348, 400: 595, 1200: 841},
}


def run(policy: str, capacity: int, requests: list[tuple[int, int]]) -> Result:
    chunk = Chunk([key for key, _ in requests], [size for _, size in requests])
    return simulate(with_next_uses(iter([chunk])) if requests else [], policy, capacity)


def requests_of_the_file() -> list[tuple[int, int]]:
    return [pair for chunk in Trace(TRACE) for pair in zip(chunk.keys, chunk.sizes, strict=True)]


@pytest.mark.parametrize("policy", POLICIES)
def test_hits_on_the_committed_trace(policy: str) -> None:
    requests = requests_of_the_file()
    assert len(requests) == 1000
    assert {capacity: run(policy, capacity, requests).tally.hits for capacity in HITS[policy]} == HITS[policy]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_committed_counts_are_those_of_the_naive_policies(policy: str) -> None:
    requests = requests_of_the_file()
    reference = getattr(naive, policy.replace("-", "_"))
    assert {capacity: reference(capacity, requests)[0] for capacity in HITS[policy]} == HITS[policy]


@pytest.mark.parametrize(("policy", "misses"), [
    ("lru", [20, 18, 15, 10, 8, 7, 7]), ("fifo", [20, 18, 16, 14, 10, 10, 7]), ("belady", [20, 15, 11, 8, 7, 7, 7]),
])  # fmt: skip
def test_misses_on_the_textbook_reference_string(policy: str, misses: list[int]) -> None:
    """The 20 references of Silberschatz, Galvin and Gagne, Operating System Concepts, page replacement, 1 to 7 frames."""
    requests = [(int(page), 1) for page in "12342156212376321236"]
    got = [20 - run(policy, frames, requests).tally.hits for frames in range(1, 8)]
    if policy == "belady":  # the textbook's must load every page; one that may leave it out can only be better
        assert all(ours <= theirs for ours, theirs in zip(got, misses, strict=True))
    else:
        assert got == misses


SIZES = st.lists(st.integers(1, 30), min_size=12, max_size=12)


@settings(max_examples=150)
@given(policy=st.sampled_from(POLICIES), capacity=st.integers(1, 120), sizes=SIZES,
       keys=st.lists(st.integers(0, 11), max_size=120))  # fmt: skip
def test_any_trace_has_the_hits_and_the_contents_of_the_naive_policy(policy: str, capacity: int, sizes: list[int],
                                                                     keys: list[int]) -> None:  # fmt: skip
    requests = [(key, sizes[key]) for key in keys]
    hits, held = getattr(naive, policy.replace("-", "_"))(capacity, requests)
    result = run(policy, capacity, requests)
    assert result.tally.hits == hits
    if policy != "belady":  # of several that are never used again any may go
        assert (result.objects, result.used_bytes) == (len(held), sum(sizes[key] for key in held))


@given(st.lists(st.integers(0, 60), max_size=900))
def test_the_sketch_never_counts_too_little_before_it_ages(keys: list[int]) -> None:
    sketch = Sketch()
    for key in keys:
        sketch.see(key, 5)
    assert all(sketch.count(key) >= min(MOST, keys.count(key)) for key in set(keys))


def test_the_sketch_keeps_its_counts_when_it_widens_and_halves_them_when_it_ages() -> None:
    sketch = Sketch()
    for _ in range(8):
        sketch.see(7, 1)
    sketch.see(8, 100_000)
    assert sketch.count(7) == 8
    aging = Sketch()
    for _ in range(8):
        aging.see(7, 1)
    for key in range(1000, 1000 + 1020 - 8):
        aging.see(key, 1)
    assert aging.count(7) <= 5
