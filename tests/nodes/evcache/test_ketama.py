"""The ketama ring against uhashring, which is somebody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uhashring import HashRing

from nodes.hashing.ketama import Ketama

LABELS = ["a/10.0.0.1:11211", "b/10.0.0.2:11211", "c/10.0.0.3:11212"]
PEER = HashRing(LABELS, hash_fn="ketama")


def test_its_points_are_those_of_the_oracle() -> None:
    assert Ketama(LABELS).points() == PEER.get_points()
    assert len(Ketama(LABELS).points()) == 3 * 160


@given(st.text(min_size=1, max_size=40))
def test_it_gives_every_key_to_the_same_node(key: str) -> None:
    assert Ketama(LABELS).node(key.encode()) == PEER.get_node(key)


def test_the_loss_of_a_node_moves_only_its_own_keys() -> None:
    whole, less = Ketama(LABELS), Ketama(LABELS[:2])
    keys = [b"key%d" % number for number in range(3000)]
    for key in keys:
        assert whole.node(key) == less.node(key) or whole.node(key) == LABELS[2]
    assert 0.2 < sum(whole.node(key) == LABELS[2] for key in keys) / len(keys) < 0.47


@pytest.mark.parametrize("labels", [[], ["a", "a"]])
def test_no_node_or_the_same_twice_is_refused(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="node"):
        Ketama(labels)
