"""Keys to names: what moves when a name leaves, how even the shares are, and agreement with other people's code."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymemcache.client.murmur3 import murmur3_32
from pymemcache.client.rendezvous import RendezvousHash
from uhashring import HashRing

from nodes.hashing.bounded_loads import bound
from nodes.hashing.ketama import Ring
from nodes.hashing.keys import hash64
from nodes.hashing.maglev import SLOTS, Maglev
from nodes.hashing.rendezvous import Rendezvous, highest

KEYS = [f"/objects/64KiB/{number}" for number in range(4000)]


def names(count: int, first: int = 0) -> dict[str, float]:
    return {f"10.0.{number // 250}.{number % 250}:11211": 1.0 for number in range(first, first + count)}


def moved(make, weights, gone, keys=KEYS):
    """Shares of keys that moved: those of the name that left, and of others."""
    before, after = make(weights).find, make({name: w for name, w in weights.items() if name != gone}).find
    own = sum(before(key) == gone for key in keys) / len(keys)
    others = sum(before(key) not in (gone, after(key)) for key in keys) / len(keys)
    return own, others


@pytest.mark.parametrize("weights", [{}, {"a": 0.0}, {"a": 1.0, "b": -1.0}])
@pytest.mark.parametrize("make", [Ring, Maglev, Rendezvous])
def test_no_name_and_no_weight_is_an_error(make, weights):
    with pytest.raises(ValueError, match="above zero"):
        make(weights)


@settings(max_examples=25, deadline=None)
@given(weights=st.dictionaries(st.text("abc0123456789.:", min_size=1, max_size=20), st.integers(1, 5), min_size=1, max_size=12),
       keys=st.lists(st.text(max_size=40), max_size=60))  # fmt: skip
def test_ketama_agrees_with_uhashring_key_for_key(weights, keys):
    theirs, ours = HashRing(weights, hash_fn="ketama"), Ring(weights)
    assert [ours.find(key) for key in keys] == [theirs.get_node(key) for key in keys]


def test_ketama_has_160_points_for_each_name():
    assert len(Ring(names(10))._points) == 1600


def test_a_ketama_name_of_hardly_any_weight_has_a_point_still():
    assert "b" in set(Ring({"a": 1000.0, "b": 1.0}).walk("key"))


def test_rendezvous_agrees_with_pymemcache_where_the_hash_is_the_same():
    theirs = RendezvousHash(list(names(20)))
    assert all(highest(names(20), key, lambda name, one: murmur3_32(f"{name}-{one}")) == theirs.get_node(key)
               for key in KEYS[:300])  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(count=st.integers(2, 40), first=st.integers(0, 500), data=st.data())
@pytest.mark.parametrize("make", [Ring, Rendezvous])
def test_a_name_that_leaves_a_ring_or_rendezvous_moves_no_key_but_its_own(make, count, first, data):
    gone = data.draw(st.sampled_from(sorted(names(count, first))))
    own, others = moved(make, names(count, first), gone, KEYS[:800])
    assert others == 0
    assert own <= 1 / count + 0.25 / count**0.5  # 160 points and 800 keys: the shares themselves scatter


@pytest.mark.parametrize("count", [3, 10, 30, 100])
@pytest.mark.parametrize("make", [Ring, Rendezvous])
def test_on_average_removing_one_of_n_moves_at_most_1_over_n_and_2_percent(make, count):
    weights = names(count)
    shares = [sum(moved(make, weights, gone)) for gone in list(weights)[:: max(1, count // 5)]]
    assert sum(shares) / len(shares) <= 1 / count + 0.02


@pytest.mark.parametrize("count", [3, 10, 50])
def test_removing_one_of_n_from_maglev_moves_under_3_over_n(count):
    assert sum(moved(Maglev, names(count), next(iter(names(count))))) < 3 / count


def test_maglev_by_hand():
    """The paper's Populate, written plainly, with a table of 13."""
    weights = names(3)
    order, owners, at = sorted(weights), [None] * 13, [0, 0, 0]
    while None in owners:
        for index, name in enumerate(order):
            while True:
                slot = (hash64(f"{name}/offset") % 13 + at[index] * (hash64(f"{name}/skip") % 12 + 1)) % 13
                at[index] += 1
                if owners[slot] is None:
                    break
            owners[slot] = name
            if None not in owners:
                break
    table = Maglev(weights, 13)
    assert [table.find(key) for key in KEYS[:100]] == [owners[hash64(key) % 13] for key in KEYS[:100]]


def test_maglev_shares_are_even_and_follow_weights():
    even = Maglev(names(100)).shares().values()
    assert sum(even) == SLOTS == 65_537
    assert max(even) - min(even) <= 1
    shares = Maglev({"a": 1.0, "b": 2.0, "c": 5.0}).shares()
    assert shares["b"] / shares["a"] == pytest.approx(2, rel=0.01)
    assert shares["c"] / shares["a"] == pytest.approx(5, rel=0.01)


def test_the_order_in_which_names_are_learnt_does_not_matter():
    for make in (Ring, Maglev, Rendezvous):
        one, two = make(names(9)), make(dict(reversed(names(9).items())))
        assert [one.find(key) for key in KEYS[:200]] == [two.find(key) for key in KEYS[:200]]


def test_rendezvous_shares_follow_weights():
    counts = Counter(map(Rendezvous({"a": 1.0, "b": 2.0, "c": 5.0}).find, KEYS))
    assert [counts[name] / len(KEYS) for name in "abc"] == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.03)


@pytest.mark.parametrize(("factor", "total", "count", "most"), [(1.25, 8, 4, 3), (1.1, 10, 1, 11), (1, 7, 3, 3), (2, 1, 9, 1)])
def test_the_bound_is_ceil_c_m_over_n(factor, total, count, most):
    assert bound(factor, total, count) == most
