from __future__ import annotations

import math
import re
from dataclasses import replace
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links import netem_counts, tc, tc_plan
from topologies.emulator.links.change import parse
from topologies.emulator.links.codel import Codel
from topologies.emulator.links.effects.jitter import SHAPES
from topologies.emulator.links.netem_ability import Ability, unsupported
from topologies.emulator.links.spec import Direction, LinkSpec, symmetric
from topologies.emulator.links.tc import Statistics
from topologies.emulator.links.trace import Trace

PATH = symmetric(76, 100_000_000)
AT = tc_plan.places(3)["a_to_b"]
ABLE = Ability("", True, "tc")
GROUND = tc_plan.Ground(1500, 250e-6)
WHOLE = tc_plan.Ground(1500, 250e-6, passes=True)


def become(words: str, way: Direction = PATH.a_to_b) -> Direction:
    return parse(words).apply(way)


def planned(way: Direction, before: Direction | None = None) -> tc_plan.Plan:
    return tc_plan.plan(way, GROUND, apart=tc_plan.needs_apart(before, way))


def changed(before: Direction, after: Direction) -> list[str]:
    return [step.there for step in tc_plan.change_steps(AT, planned(before), planned(after, before))]


def both(way: Direction) -> LinkSpec:
    return LinkSpec(way, way)


def test_each_direction_crosses_four_places_of_its_own() -> None:
    there, back = tc_plan.places(3).values()
    assert there == tc_plan.Places("a3", "x3", "u3", "b3", 7)
    assert back == tc_plan.Places("b3", "v3", "y3", "a3", 8)
    assert len({*(there.queue, there.line, there.wire), *(back.queue, back.line, back.wire)}) == 6


def test_the_gates_send_on_copies_so_that_no_frame_stays_on_its_senders_account() -> None:
    gates = [line for line in tc_plan.path_lines(3) if line.startswith("filter") and line.split()[3] in ("a3", "b3")]
    copied = [line.split()[3] for line in gates if "mirred egress mirror" in line and line.endswith(" trap")]
    assert copied == ["a3", "b3"]


def test_frames_are_carried_from_place_to_place() -> None:
    lines = [line for line in tc_plan.path_lines(3) if line.startswith("filter")]
    hops = [(line.split()[3], line.removesuffix(" trap").split()[-1]) for line in lines]
    assert hops == [("a3", "x3"), ("y3", "u3"), ("v3", "b3"), ("b3", "v3"), ("u3", "y3"), ("x3", "a3")]


def test_the_lines_of_a_plain_path() -> None:
    assert tc_plan.make_lines(AT, planned(PATH.a_to_b)) == [
        "qdisc add dev x3 root handle 1: tbf rate 100000000bit burst 4639b limit 946972b",
        "qdisc add dev x3 parent 1:1 handle 2: bfifo limit 946972",
        "qdisc add dev u3 root handle 1: netem limit 1000000000 rate 1000gbit",
        "qdisc add dev b3 root handle 1: netem limit 1000000000 delay 38.000000ms rate 100000000bit corrupt 0%",
    ]


def test_nothing_specified_is_left_out() -> None:
    words = "jitter 2ms normal loss 0.1% duplicate 1% reorder 2% corrupt 3%"
    way = become(words, Direction(50, 8_000_000, 100_000))
    assert tc_plan.make_lines(AT, planned(way), " seed 7")[2:] == [
        "qdisc add dev u3 root handle 1: netem limit 1000000000 rate 8000000bit",
        "qdisc add dev b3 root handle 1: netem limit 1000000000 delay 50.000000ms 2.000000ms distribution normal rate 1000gbit "
        "corrupt 3% duplicate 1% loss random 0.1% reorder 2% seed 7",
    ]
    assert "loss gemodel 1% 25% 90% 0.01%" in planned(become("gilbert-elliott 1% 25% 90% 0.01%")).wire


def test_a_direction_that_is_down_is_made_so() -> None:
    assert tc_plan.make_lines(AT, planned(become("down")))[-1] == "actions change action gact drop index 7"


@pytest.mark.parametrize("words", ["jitter 1ms", "duplicate 1%", "reorder 1%", "loss 1%", "corrupt 1%"])
def test_effects_come_behind_the_line_and_the_wire_then_only_keeps_order(words: str) -> None:
    found = planned(become(words))
    assert found.line == "rate 100000000bit"
    assert "rate 1000gbit" in found.wire


def test_a_shorter_delay_takes_the_rate_from_behind_the_delay() -> None:
    assert changed(PATH.a_to_b, become("delay 50ms")) == [
        "qdisc change dev b3 root handle 1: netem limit 1000000000 delay 50.000000ms rate 100000000bit corrupt 0%"]  # fmt: skip
    assert changed(PATH.a_to_b, become("delay 5ms")) == [
        "qdisc change dev u3 root handle 1: netem limit 1000000000 rate 100000000bit",
        "qdisc change dev b3 root handle 1: netem limit 1000000000 delay 5.000000ms rate 1000gbit corrupt 0%"]  # fmt: skip


def test_only_what_differs_is_changed() -> None:
    assert changed(PATH.a_to_b, PATH.a_to_b) == []
    assert changed(PATH.a_to_b, become("queue 64KiB")) == ["qdisc change dev x3 parent 1:1 handle 2: bfifo limit 62508"]
    assert changed(PATH.a_to_b, become("down")) == ["actions change action gact drop index 7"]
    assert [line.split()[3] for line in changed(PATH.a_to_b, become("rate 10mbit"))] == ["x3", "b3"]


def test_who_spaces_frames_is_never_slower_than_what_is_before_it() -> None:
    slow = become("rate 10mbit")
    assert [line.split()[3] for line in changed(slow, PATH.a_to_b)] == ["b3", "x3"]
    assert [line.split()[3] for line in changed(become("jitter 2ms", slow), become("jitter 2ms"))] == ["u3", "x3"]
    assert [line.split()[3] for line in changed(slow, become("rate unlimited"))] == ["b3", "x3"]


def test_it_is_down_before_and_up_after_everything_else() -> None:
    low = become("rate 1mbit down")
    assert "drop" in changed(PATH.a_to_b, low)[0]
    assert "pipe" in changed(low, PATH.a_to_b)[-1]


def test_a_change_of_packets_sets_the_limit_of_bucket_and_fifo_at_once() -> None:
    before = become("queue 100packets rate 10mbit")
    assert changed(before, become("rate 20mbit", before))[-1] == (
        "qdisc change dev x3 root handle 1: tbf rate 20000000bit burst 2139b limit 100b")  # fmt: skip
    assert changed(before, become("queue 50packets", before)) == ["qdisc change dev x3 parent 1:1 handle 2: pfifo limit 50"]


@given(st.lists(st.sampled_from([
    "rate 1mbit", "rate unlimited", "delay 5ms", "delay 300ms", "loss 1%", "loss 0%", "jitter 2ms pareto", "jitter 0ms", "down",
    "up", "queue 20KB", "corrupt 1%", "corrupt 0%",
]), min_size=1, max_size=6))  # fmt: skip
def test_a_change_makes_what_is_new_and_can_be_taken_back(words: list[str]) -> None:
    before, after = PATH.a_to_b, PATH.a_to_b
    for one in words:
        after = become(one, after)
    old, new = planned(before), planned(after, before)
    steps = tc_plan.change_steps(AT, old, new)
    there = applied(shapers(old), [step.there for step in steps])
    assert there | {BUCKET: ""} == shapers(new) | {BUCKET: ""}
    assert there[BUCKET].split(" limit")[0] == shapers(new)[BUCKET].split(" limit")[0], "its limit is that of its fifo"
    assert applied(there, [step.back for step in reversed(steps)]) == shapers(old)


BUCKET, FIFO = "dev x3 root handle 1:", "dev x3 parent 1:1 handle 2:"


def shapers(plan: tc_plan.Plan) -> dict[str, str]:
    """What the kernel has after a plan was made, by place."""
    made = [line.replace("qdisc add", "qdisc change") for line in tc_plan.make_lines(AT, plan)]
    return applied({}, ["actions change action gact pipe index 7", *made])


def applied(state: dict[str, str], lines: list[str]) -> dict[str, str]:
    """A token bucket that is changed sets the limit of its fifo."""
    state = dict(state)
    for line in lines:
        place = re.search(r"dev .*handle \d:", line)
        state[place[0] if place else "gate"] = line
        if " tbf " in line and FIFO in state:
            limit = re.search(r"limit (\d+)b", line)
            assert limit
            state[FIFO] = re.sub(r"limit \d+", f"limit {limit[1]}", state[FIFO])
    return state


@given(st.floats(0, 1000), st.integers(1000, 10**11), st.integers(1514, 10**9), st.booleans())
def test_neither_limit_nor_burst_ever_shortens_what_was_specified(delay_ms: float, rate: int, room: int, packets: bool) -> None:
    way = Direction(delay_ms, rate, None if packets else room, queue_packets=room // 1514 if packets else None)
    frame, burst, limit = 1514, tc_plan.burst_bytes(way, GROUND), tc_plan.fifo_limit(way, GROUND)
    assert burst >= frame, "a bucket smaller than a frame would drop it"
    if packets:
        assert (limit + (burst - frame) // frame) == way.queue_packets
        assert limit >= 1
    else:
        assert limit + (burst - frame) // frame * frame == way.queue_bytes
        assert limit >= frame


@given(st.integers(576, 9000), st.integers(1, 60))
def test_the_bucket_of_a_link_that_passes_segments_holds_the_largest(mtu: int, options_bytes: int) -> None:
    way = Direction(1, 10**10, 10**8)
    payload = mtu - 40 - options_bytes
    on_wire = 65536 + 14 + (math.ceil(65536 / payload) - 1) * (14 + 40 + options_bytes)
    assert tc_plan.burst_bytes(way, tc_plan.Ground(mtu, 0.0, passes=True)) >= on_wire


def test_what_netem_has_another_meaning_for_is_refused() -> None:
    fast = symmetric(1, 4_000_000_000)
    cases = [
        (both(replace(PATH.a_to_b, codel=Codel())), "CoDel is an option of the relay"),
        (both(replace(PATH.a_to_b, rate_bps=None, trace=Trace((1, 2)))), "netem follows no trace"),
        (both(become("delay 10s jitter 2.2s")), "netem's jitter ends at 2.147 s"),
        (replace(PATH, b_to_a=replace(PATH.b_to_a, codel=Codel())), "b_to_a: CoDel is an option of the relay"),
        (LinkSpec(*[replace(fast.a_to_b, queue_bytes=100_000)] * 2), "cannot take segments of up to 71968 B whole"),
    ]
    for spec, reason in cases:
        (found,) = unsupported(spec, ABLE)
        assert reason in found
    every = become("jitter 2s loss 1% duplicate 1% reorder 1% corrupt 1% queue 9packets down", Direction(50_000, None, 1600))
    assert unsupported(both(every), ABLE) == []
    assert unsupported(fast, ABLE) == unsupported(PATH, ABLE) == []


def test_a_seed_that_is_demanded_is_honoured_or_refused() -> None:
    lossy, corrupt = both(become("loss 1%")), both(become("corrupt 1%"))
    old = replace(ABLE, seed=False)
    assert "6.6" in unsupported(lossy, old, seed_demanded=True)[0]
    assert unsupported(PATH, old, seed_demanded=True) == [], "nothing is left to chance"
    assert unsupported(lossy, old) == []
    assert unsupported(lossy, ABLE, seed_demanded=True) == []
    assert "chooses the bits" in unsupported(corrupt, ABLE, seed_demanded=True)[0]


def test_a_link_made_to_pass_segments_gets_no_effect_on_packets() -> None:
    fast = symmetric(10, 4_000_000_000)
    lossy = replace(fast, a_to_b=become("loss 1%", fast.a_to_b))
    assert unsupported(lossy, ABLE, made=WHOLE) == ["it was made to pass segments whole, and loss acts on each packet"]
    assert unsupported(lossy, ABLE) == []


def test_jitter_without_a_table_is_refused() -> None:
    without = replace(ABLE, jitter=False)
    assert "uniform.dist" in unsupported(both(become("jitter 1ms")), without)[0]
    assert unsupported(PATH, without) == []


@pytest.mark.parametrize("name", SHAPES)
def test_the_tables_of_jitter_are_the_shapes_of_the_relay(name: str) -> None:
    quantile = {"uniform": lambda u: 2 * u - 1, "normal": NormalDist().inv_cdf,
                "pareto": lambda u: min(4.0, ((1 - u) ** (-1 / 3) - 1.5) * 4 / 3)}[name]  # fmt: skip
    lines = (tc.TABLES / f"{name}.dist").read_text("ascii").splitlines()
    table = [int(word) for line in lines if not line.startswith("#") for word in line.split()]
    assert table == [min(32767, round(quantile((n + 0.5) / 2048) * 8192)) for n in range(2048)]
    mean = sum(table) / 2048 / 8192
    deviation = math.sqrt(sum((one / 8192 - mean) ** 2 for one in table) / 2048)
    assert mean == pytest.approx(SHAPES[name].mean, abs=1e-4)
    assert deviation == pytest.approx(SHAPES[name].deviation, abs=1e-3)
    assert SHAPES[name].least <= min(table) / 8192 + 1e-4
    assert max(table) / 8192 <= SHAPES[name].most


def seen(**drops: int) -> dict[tuple[str, str], Statistics]:
    """100 frames offered, 10 of them dropped at the gate and 20 by the queue; 5 wait in the queue and 7 on the wire."""
    def one(packets: int, drop: int = 0, qlen: int = 0, requeues: int = 0) -> Statistics:
        return Statistics(packets * 1000, packets, drop, requeues, qlen * 1000, qlen)

    wire = drops.get("wire", 0)
    return {("a3", "ingress"): one(100, 10), ("x3", "tbf"): one(65, 20, 5), ("u3", "netem"): one(65, drops.get("line", 0)),
            ("b3", "netem"): one(58 - wire + drops.get("twice", 0), wire, 7, 3)}  # fmt: skip


NONE_REFUSED = {"x3": 0, "u3": 0, "b3": 0}


def test_every_frame_is_accounted_for() -> None:
    found = netem_counts.counted(AT, seen(), seen(), NONE_REFUSED, netem_counts.Past(), 0)
    assert (found.packets, found.bytes, found.delivered) == (100, 101_400, 58)
    assert (found.dropped_down, found.dropped_queue, found.held, found.lost, found.duplicated) == (10, 20, 12, 0, 0)
    assert (found.backlog_packets, found.backlog_bytes, found.overtook, found.overrun) == (5, 5000, 3, 0)
    assert (found.failed, found.unexplained) == (0, 0)


def test_drops_of_netem_are_losses_only_where_loss_was_asked_for() -> None:
    lossy = netem_counts.counted(AT, seen(wire=4), seen(wire=4), NONE_REFUSED, netem_counts.Past(loss=True), 0)
    assert (lossy.lost, lossy.failed, lossy.unexplained) == (4, 0, 0)
    sound = netem_counts.counted(AT, seen(wire=4), seen(wire=4), NONE_REFUSED, netem_counts.Past(), 0)
    assert (sound.lost, sound.failed, sound.unexplained) == (0, 4, 0)


def test_copies_are_what_the_wire_has_more_than_the_line_gave() -> None:
    found = netem_counts.counted(AT, seen(twice=6), seen(twice=6), NONE_REFUSED, netem_counts.Past(duplicate=True), 0)
    assert (found.duplicated, found.delivered, found.unexplained) == (6, 64, 0)


def test_with_loss_and_duplicates_neither_can_be_known() -> None:
    past = netem_counts.Past(loss=True, duplicate=True)
    found = netem_counts.counted(AT, seen(twice=6, wire=2), seen(twice=6, wire=2), NONE_REFUSED, past, None)
    assert (found.lost, found.duplicated, found.unexplained, found.overrun) == (None, None, None, None)


def test_frames_that_vanish_are_unexplained_unless_they_may_be_moving() -> None:
    gap = seen() | {("b3", "netem"): Statistics(50_000, 50, 0, 0, 7000, 7)}
    assert netem_counts.counted(AT, gap, gap, NONE_REFUSED, netem_counts.Past(), 0).unexplained == 8
    assert netem_counts.counted(AT, seen(), gap, NONE_REFUSED, netem_counts.Past(), 0).unexplained is None
    assert netem_counts.counted(AT, gap, gap, NONE_REFUSED, netem_counts.Past(passes=True), 0).unexplained is None


def test_frames_that_an_interface_did_not_take_have_failed() -> None:
    found = netem_counts.counted(AT, seen(), seen(), {"x3": 1, "u3": 2, "b3": 3}, netem_counts.Past(), 9)
    assert (found.failed, found.delivered, found.overrun) == (6, 55, 9)


def test_what_a_direction_ever_had_is_remembered() -> None:
    past = netem_counts.Past().with_(become("loss 1% corrupt 1%")).with_(PATH.a_to_b)
    assert past == netem_counts.Past(loss=True, corrupt=True)


def test_statistics_are_read_as_tc_prints_them() -> None:
    text = ('[{"kind":"tbf","handle":"1:","dev":"x0","root":true,"refcnt":3,"options":{"rate":1250000},"bytes":96896,'
            '"packets":64,"drops":3,"overlimits":120,"requeues":1,"backlog":1514,"qlen":1}]')  # fmt: skip
    assert tc.read_statistics(text) == {("x0", "tbf"): Statistics(96896, 64, 3, 1, 1514, 1)}
    with pytest.raises(tc.TcError, match=r"could not read the statistics of tc: .*; it needs iproute2 4.16"):
        tc.read_statistics("qdisc tbf 1: dev x0 root refcnt 3")


def test_a_refusal_names_the_line_and_the_kernels_words() -> None:
    said = ("Error: Specified qdisc kind is unknown.\nCommand failed -:1\nWhat is \"seed\"?\nUsage: ... netem [ limit PACKETS\n"
            "                 [ ecn ]\nCommand failed -:3\n")  # fmt: skip
    assert tc.explained(said, ["one", "two", "three"], 1) == (
        "'one' was refused: Specified qdisc kind is unknown; 'three' was refused: What is \"seed\"?", [0, 2])  # fmt: skip
    assert tc.explained("", [], 1) == ("tc ended with status 1: no reason given", [])


def test_a_change_is_practised_where_it_matters_to_nobody_and_leaves_nothing_there() -> None:
    before = become("queue 100packets rate 10mbit")
    steps = tc_plan.change_steps(AT, planned(before), planned(become("rate 20mbit down loss 1%", before)))
    gate, wire, line, bucket = (step.there.partition(" handle 1: ")[2] for step in steps)
    assert (gate, bucket) == ("", "tbf rate 20000000bit burst 2139b limit 100b")
    assert tc_plan.practice(steps) == [
        "actions get action gact index 7",
        "qdisc show dev b3", f"qdisc replace dev lo root {wire}",
        "qdisc show dev u3", f"qdisc replace dev lo root {line}",
        "qdisc show dev x3", f"qdisc replace dev lo root {bucket}",
        "qdisc del dev lo root",
    ]  # fmt: skip
    assert tc_plan.practice([]) == []
    gate_alone = tc_plan.change_steps(AT, planned(before), planned(become("down", before)))
    assert tc_plan.practice(gate_alone) == ["actions get action gact index 7"]
