"""Effects: their words, what they refuse, and that chance does what their numbers say. One contract for each of them."""

import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.effect import Fate, percent
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott
from topologies.emulator.links.effects.jitter import SHAPES, Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.effects.registry import EFFECTS
from topologies.emulator.links.effects.reorder import Reorder
from topologies.emulator.links.spec import Direction, LinkError, LinkSpec, wire

DRAWS = 40_000
CHANCES = (Loss, Duplicate, Corrupt, Reorder)


def fates(effect, count=DRAWS, seed="test"):
    decide = effect.decider(Random(seed))
    found = [Fate() for _ in range(count)]
    for fate in found:
        decide(fate)
    return found


def show(fate):
    return [getattr(fate, name) for name in Fate.__slots__]


def example(word):
    return EFFECTS[word].parse(EFFECTS[word].example.partition(" ")[2])


def test_every_effect_is_found_by_its_file():
    assert set(EFFECTS) == {"loss", "gilbert-elliott", "jitter", "duplicate", "reorder", "corrupt"}


@pytest.mark.parametrize("word", sorted(EFFECTS))
class TestEveryEffect:
    def test_its_example_is_its_own_and_can_be_built(self, word):
        assert EFFECTS[word].example.startswith(f"{word} ")
        assert example(word).problems(40.0) == []
        assert not example(word).nothing

    def test_its_text_is_read_back_as_the_same(self, word):
        assert EFFECTS[word].parse(example(word).text()) == example(word)

    def test_the_same_seed_gives_the_same_fates_and_another_seed_others(self, word):
        once, again, other = (list(map(show, fates(example(word), 2000, seed))) for seed in ("a", "a", "b"))
        assert once == again != other

    def test_a_fate_depends_on_the_number_of_its_frame_alone(self, word):
        assert list(map(show, fates(example(word), 500))) == list(map(show, fates(example(word), 2000)))[:500]

    def test_two_of_a_slot_are_refused(self, word):
        one = example(word)
        twice = Direction(40.0, 10**8, 10**6, (one, one))
        with pytest.raises(LinkError, match=f"{one.slot} is given twice"):
            LinkSpec(twice, twice)


@pytest.mark.parametrize("kind", CHANCES)
def test_a_chance_happens_as_often_as_it_says(kind):
    happened = {Loss: lambda fate: fate.lost, Duplicate: lambda fate: fate.twice, Reorder: lambda fate: fate.overtakes,
                Corrupt: lambda fate: fate.corrupt_at >= 0}[kind]  # fmt: skip
    found = sum(map(happened, fates(kind(0.05))))
    assert found == pytest.approx(0.05 * DRAWS, abs=5 * (DRAWS * 0.05 * 0.95) ** 0.5)
    assert not any(map(happened, fates(kind(0.0), 1000)))


def test_the_inverted_bit_is_evenly_spread():
    bits = [fate.corrupt_at for fate in fates(Corrupt(0.5)) if fate.corrupt_at >= 0]
    assert 0 <= min(bits) <= max(bits) < 1
    assert statistics.mean(bits) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("kind", CHANCES)
@pytest.mark.parametrize("value", [-0.01, 1.0, 1.5])
def test_what_is_no_probability_is_refused(kind, value):
    assert kind(value).problems(40.0)


def test_reordering_needs_a_delay_to_skip():
    assert Reorder(0.05).problems(0.0) == ["reorder needs a delay: frames overtake by skipping it"]
    assert Reorder(0.0).problems(0.0) == []


@pytest.mark.parametrize(("model", "mean"), [
    (GilbertElliott(0.01, 0.25), 0.01 / 0.26), (GilbertElliott(0.02, 0.5, 0.6, 0.01), 0.02 / 0.52 * 0.6 + 0.5 / 0.52 * 0.01),
    (GilbertElliott(0.0, 0.0, 1.0, 0.03), 0.03),
])  # fmt: skip
def test_gilbert_elliott_loses_its_mean_in_the_long_run(model, mean):
    assert model.loss == pytest.approx(mean)
    lost = sum(fate.lost for fate in fates(model, 200_000))
    assert lost / 200_000 == pytest.approx(mean, rel=0.1)


def test_gilbert_elliott_loses_in_bursts_of_one_over_leave():
    bursts, length = [], 0
    for fate in fates(GilbertElliott(0.01, 0.25), 200_000):
        if fate.lost:
            length += 1
        elif length:
            bursts.append(length)
            length = 0
    assert statistics.mean(bursts) == pytest.approx(4, rel=0.1)


def test_gilbert_elliott_meets_the_good_state_first():
    assert all(not fates(GilbertElliott(1.0, 0.5), 1, seed)[0].lost for seed in range(50))


@pytest.mark.parametrize(("text", "said"), [
    ("1%", "is not ENTER LEAVE"), ("1% 2% 3% 4% 5%", "is not ENTER LEAVE"), ("1% 2", "no unit"),
])  # fmt: skip
def test_gilbert_elliott_takes_two_to_four_percentages(text, said):
    with pytest.raises(ValueError, match=said):
        GilbertElliott.parse(text)


@pytest.mark.parametrize(("model", "said"), [
    (GilbertElliott(1.5, 0.5), "enter 150% is not"), (GilbertElliott(0.1, -0.5), "leave -50%"),
    (GilbertElliott(0.1, 0.0), "loses everything in the long run"), (GilbertElliott(0.1, 0.5, 1.0, 1.0), "loses everything"),
])  # fmt: skip
def test_a_model_that_makes_no_sense_is_refused(model, said):
    assert said in "; ".join(model.problems(40.0))


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_jitter_has_the_mean_deviation_and_range_that_it_says(shape):
    jitter = Jitter(8.0, shape)
    offsets = [fate.extra_ns / 1e6 for fate in fates(jitter, 100_000)]
    least_ms, most_ms = 8.0 * SHAPES[shape].least, 8.0 * SHAPES[shape].most
    assert least_ms - 1e-6 <= min(offsets) <= max(offsets) <= most_ms + 1e-6
    assert jitter.most_ms == most_ms
    assert statistics.mean(offsets) == pytest.approx(jitter.mean_ms, abs=0.1)
    assert statistics.pstdev(offsets) == pytest.approx(jitter.deviation_ms, rel=0.02)


@pytest.mark.parametrize(("shape", "delay_ms", "fine"), [
    ("uniform", 5.0, True), ("uniform", 4.9, False), ("normal", 20.0, True), ("normal", 19.0, False), ("pareto", 3.4, True),
    ("pareto", 3.3, False),
])  # fmt: skip
def test_no_frame_may_leave_before_it_came(shape, delay_ms, fine):
    assert (Jitter(5.0, shape).problems(delay_ms) == []) is fine


def test_a_negative_jitter_is_refused():
    assert Jitter(-1.0).problems(40.0)


def test_effects_are_kept_in_the_order_of_their_names_and_those_of_nothing_left_out():
    assert wire(Loss(0.1), Jitter(0.0), Corrupt(0.2)) == (Corrupt(0.2), Loss(0.1))


@given(st.integers(0, 10**9).map(lambda n: n / 10**9))
def test_a_percentage_is_written_exactly(value):
    assert percent(value).endswith("%")
    assert float(percent(value)[:-1]) / 100 == pytest.approx(value, abs=1e-9)
