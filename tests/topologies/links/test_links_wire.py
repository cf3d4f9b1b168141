"""What the wire does behind the queue: effects, their order, and that the n-th frame has one fate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.topologies.links.pipes import MS, Reference, drained
from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.effect import Effect
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.effects.reorder import Reorder
from topologies.emulator.links.fates import LOST, RECORD, TWICE, Fates
from topologies.emulator.links.shape import Shape

FRAMES = st.lists(st.tuples(st.integers(0, 3 * MS), st.integers(60, 1514)), min_size=1, max_size=80)
ALL = (Corrupt(0.2), Duplicate(0.3), Jitter(2.0), Loss(0.3), Reorder(0.2))


def numbers(effects: tuple[Effect, ...], frames: int, shape: Shape | None = None, seed: str = "s") -> list[int]:
    """Those of the frames that came out, when a frame is offered every 20 ms."""
    pipe = Reference(shape or Shape(10 * MS), effects, seed)
    for number in range(frames):
        pipe.offer(100, number * 20 * MS)
    return [one.number for one in drained(pipe)]


def test_losses_are_as_frequent_as_specified() -> None:
    assert 19_700 < len(numbers((Loss(0.01),), 20_000)) < 19_900


def test_a_lost_frame_has_used_the_rate() -> None:
    lossy, clean = (Reference(Shape(0, 8_000_000, 10**6), effects) for effects in ((Loss(0.5),), ()))
    for pipe in (lossy, clean):
        for _ in range(100):
            pipe.offer(1000, 0)
    sound = {one.number: one.due_ns for one in drained(clean)}
    out = drained(lossy)
    assert 20 < len(out) < 80
    assert all(one.due_ns == sound[one.number] for one in out)


def test_jitter_is_uniform_around_the_delay_and_keeps_the_order() -> None:
    pipe = Reference(Shape(10 * MS), (Jitter(4.0),))
    for number in range(4000):
        pipe.offer(100, number * 20 * MS)
    delays = sorted(one.due_ns - one.number * 20 * MS for one in drained(pipe))
    assert delays[0] >= 6 * MS
    assert delays[-1] <= 14 * MS
    assert abs(delays[1000] - 8 * MS) < 0.3 * MS
    assert abs(sum(delays) / 4000 - 10 * MS) < 0.2 * MS
    dense = Reference(Shape(10 * MS), (Jitter(4.0),))
    for number in range(400):
        dense.offer(100, number * MS // 10)
    assert [one.number for one in drained(dense)] == list(range(400))


def test_frames_that_reorder_lets_overtake_skip_the_delay_and_move_no_other() -> None:
    plain, mixed = Reference(Shape(10 * MS)), Reference(Shape(10 * MS), (Reorder(0.1),))
    for pipe in (plain, mixed):
        for number in range(1000):
            pipe.offer(100, number * MS)
    slow = {one.number: one.due_ns for one in drained(plain)}
    out = drained(mixed)
    ahead = [one for one in out if one.due_ns == one.number * MS]
    assert 60 < len(ahead) < 140
    assert all(one.due_ns == slow[one.number] for one in out if one not in ahead)
    assert [one.due_ns for one in out] == sorted(one.due_ns for one in out)
    assert mixed.counts(10**12)["overtook"] == len(ahead)


def test_a_duplicate_comes_behind_its_original() -> None:
    found = numbers((Duplicate(0.3),), 1000)
    assert found == sorted(found)
    assert set(found) == set(range(1000))
    assert 240 < len(found) - 1000 < 360


def test_a_frame_both_lost_and_doubled_arrives_once() -> None:
    fates = Fates((Duplicate(0.5), Loss(0.5)), "s")
    wanted: list[int] = []
    for number in range(500):
        first, *second = fates.next()
        lost, twice = bool(first.flags & LOST), bool(first.flags & TWICE)
        copies = 1 + twice - lost - (1 if second and second[0].flags & LOST else 0)
        assert bool(second) == (twice and not lost)
        wanted += [number] * copies
    assert numbers((Duplicate(0.5), Loss(0.5)), 500) == wanted


def test_corruption_inverts_one_bit_within_the_frame() -> None:
    pipe = Reference(Shape(0), (Corrupt(0.2),))
    for number in range(2000):
        pipe.offer(100, number)
    bits = [one.corrupt_bit for one in drained(pipe) if one.corrupt_bit >= 0]
    assert 330 < len(bits) < 470
    assert len(bits) == pipe.counts(10**9)["corrupted"]
    assert 0 <= min(bits) < 60
    assert 740 <= max(bits) < 800


@given(FRAMES, FRAMES, st.sampled_from([1514, 10**6]))
def test_the_same_seed_gives_the_nth_frame_the_same_fate_whatever_the_timing(
    frames: list[tuple[int, int]], others: list[tuple[int, int]], queue: int
) -> None:
    fates = []
    for with_ in (frames, others):
        # Whether the second has dropped frames in its queue plays no part: they have used their draws.
        pipe, now = Reference(Shape(5 * MS, 1_000_000, queue if with_ is others else 10**6), ALL, "seed"), 0
        for pause, size in with_[: min(len(frames), len(others))]:
            now += pause
            pipe.offer(size, now)
        came: dict[int, int] = {}
        for one in drained(pipe):
            came[one.number] = came.get(one.number, 0) + 1
        fates.append((came, pipe.counts(10**13)["dropped_queue"]))
    (sure, _), (perhaps, dropped) = fates
    assert all(perhaps[number] == sure[number] for number in perhaps)
    assert len(sure) - len(perhaps) <= dropped


def test_one_effect_never_changes_the_fate_of_another() -> None:
    alone = numbers((Loss(0.3),), 300)
    assert numbers((Loss(0.3), Jitter(1.0), Corrupt(0.2)), 300) == alone
    assert numbers((Loss(0.3),), 300, Shape(10 * MS, 10**6, 10**6)) == alone


def test_another_seed_is_another_fate() -> None:
    assert numbers((Loss(0.5),), 64, seed="1 l a_to_b") != numbers((Loss(0.5),), 64, seed="1 l b_to_a")


def test_new_effects_meet_all_frames_that_leave_the_queue_from_then_on() -> None:
    pipe = Reference(Shape(0, 8_000_000, 10**6), (Loss(0.5),))
    for _ in range(300):
        pipe.offer(1000, 0)
    pipe.change(Shape(0, 8_000_000, 10**6), (), 100 * MS + MS // 2)
    out = [one.number for one in drained(pipe)]
    assert 30 < len([number for number in out if number < 100]) < 70
    assert [number for number in out if number >= 100] == list(range(100, 300))


def test_a_change_of_something_else_leaves_the_fates_as_they_are() -> None:
    kept, never = (Reference(Shape(0, 8_000_000, 10**6), (Loss(0.5),)) for _ in range(2))
    for pipe in (kept, never):
        for _ in range(300):
            pipe.offer(1000, 0)
    kept.change(Shape(0, 1_000_000, 10**6), None, 50 * MS)
    assert [one.number for one in drained(kept)] == [one.number for one in drained(never)]


def test_packed_fates_are_the_fates() -> None:
    one, two = Fates(ALL, "s"), Fates(ALL, "s")
    data = two.packed(200)
    packed = [RECORD.unpack_from(data, at) for at in range(0, len(data), RECORD.size)]
    assert packed == [(copy.extra_ns, copy.corrupt_at, copy.flags) for _ in range(200) for copy in one.next()]
