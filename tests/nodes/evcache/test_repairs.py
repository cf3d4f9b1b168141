"""The queue of repairs and the near cache, with time as a number."""

from nodes.evcache.near import Near
from nodes.evcache.repairs import Repairs


def test_repairs_of_one_key_are_one() -> None:
    one = Repairs(10, 600)
    assert one.add("k", 5, 0.0)
    assert one.add("k", 7, 0.0)
    assert not one.add("k", 6, 0.0)
    assert one.some(10) == [("k", 7)]
    assert not one.serves("k", 0.0)
    assert one.serves("other", 0.0)


def test_a_repair_is_done_only_when_nothing_else_happened_meanwhile() -> None:
    one = Repairs(10, 600)
    one.add("k", 5, 0.0)
    ((key, version),) = one.some(1)
    one.add("k", 6, 0.0)
    one.done(key, version)
    assert len(one) == 1
    one.done(*one.some(1)[0])
    assert len(one) == 0
    assert one.serves("k", 0.0)


def test_what_cannot_be_repaired_waits_behind_the_others() -> None:
    one = Repairs(10, 600)
    for key in ("a", "b", "c"):
        one.add(key, 1, 0.0)
    one.again("a")
    one.again("unknown")
    assert one.some(10) == [("b", 1), ("c", 1), ("a", 1)]


def test_what_is_written_at_last_needs_no_repair_unless_something_newer_was_missed() -> None:
    one = Repairs(10, 600)
    for key in ("a", "b"):
        one.add(key, 5, 0.0)
    one.written("a", 5)
    one.written("b", 4)
    one.written("c", 1)
    assert one.some(10) == [("b", 5)]


def test_a_zone_with_too_many_repairs_is_not_read_until_its_copies_have_ended() -> None:
    one = Repairs(2, 600)
    for key in ("a", "b", "c"):
        one.add(key, 1, 100.0)
    assert (len(one), one.overflows) == (0, 1)
    assert not one.serves("a", 100.0)
    assert (one.shut(699.9), one.shut(700.0)) == (True, False)
    assert not one.serves("unrelated", 699.9)
    assert one.serves("unrelated", 700.0)


def test_near_keeps_only_hot_keys_and_only_for_a_while() -> None:
    near: Near[str] = Near(2, 1.0, 3, 10.0)
    for now_s in (0.0, 0.1):
        near.read("k", "v", now_s)
        assert near.get("k", now_s) is None
    near.read("k", "v", 0.2)
    assert near.get("k", 1.1) == "v"
    assert near.get("k", 1.2) is None
    for _ in range(3):
        for key in ("a", "b", "c"):
            near.read(key, key, 2.0)
    assert (near.get("a", 2.0), near.get("b", 2.0), len(near)) == (None, "b", 2)
    near.drop("b")
    assert near.get("b", 2.0) is None
    near.read("x", "x", 3.0)
    near.read("x", "x", 3.0)
    near.read("x", "x", 13.0)  # another window: it is counted anew
    assert near.get("x", 13.0) is None
