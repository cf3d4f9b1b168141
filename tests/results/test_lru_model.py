"""Che's approximation against exact LRU on independent requests, and at its ends."""

import random
from bisect import bisect_left
from collections import OrderedDict
from itertools import accumulate

import pytest

from results.models.lru import hit_ratio, zipf


@pytest.mark.parametrize(("exponent", "room"), [(0.8, 50), (1.1, 50), (0.8, 200)])
def test_it_is_what_lru_does(exponent: float, room: int) -> None:
    popularity = zipf(500, exponent)
    sums, chance, kept, hits = list(accumulate(popularity)), random.Random(1), OrderedDict[int, None](), 0
    for number in range(60_000):
        one = bisect_left(sums, chance.random() * sums[-1])
        hits += number >= 20_000 and one in kept
        kept[one] = None
        kept.move_to_end(one)
        if len(kept) > room:
            kept.popitem(last=False)
    assert hits / 40_000 == pytest.approx(hit_ratio(popularity, room), abs=0.01)


def test_room_for_all_is_always_a_hit() -> None:
    assert hit_ratio(zipf(10, 1.0), 10) == 1.0
    assert sum(zipf(10, 1.0)) == pytest.approx(1.0)
