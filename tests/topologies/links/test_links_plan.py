from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links import backend, choice, netem, tc_plan
from topologies.emulator.links.spec import Direction, LinkSpec, symmetric

PATH = symmetric(76, 100_000_000)


def test_each_direction_meets_one_rate_and_one_wire_on_different_interfaces() -> None:
    lines = netem.commands(3, "l", PATH, with_seed=False)
    assert [line.split()[3] for line in lines] == ["x3", "b3", "y3", "a3"]
    assert ["tbf" in line for line in lines] == [True, False, True, False]
    assert ["netem" in line for line in lines] == [False, True, False, True]


def test_the_commands_of_a_plain_path() -> None:
    assert netem.commands(0, "l", PATH, with_seed=False)[:2] == [
        "qdisc add dev x0 root tbf rate 100000000bit burst 4639b limit 946875b",
        "qdisc add dev b0 root netem limit 12457 delay 38.000000ms rate 100000000bit",
    ]


def test_nothing_specified_is_left_out() -> None:
    way = Direction(50, 8_000_000, 100_000, loss=0.001, jitter_ms=2)
    line = tc_plan.wire_command(way, 1500, "b0", seed=7)
    assert line is not None
    for words in ("delay 50.000000ms 2.000000ms", "loss random 0.1000000%", "rate 8000000bit", "seed 7"):
        assert words in line


def test_jitter_without_a_rate_still_keeps_order() -> None:
    line = tc_plan.wire_command(Direction(50, None, 100_000, jitter_ms=2), 1500, "b0", seed=None)
    assert line is not None
    assert line.endswith("rate 1000gbit")


def test_a_rate_alone_needs_no_netem() -> None:
    assert netem.commands(0, "l", symmetric(0, 10_000_000), with_seed=True) == [
        "qdisc add dev x0 root tbf rate 10000000bit burst 1827b limit 48135b",
        "qdisc add dev y0 root tbf rate 10000000bit burst 1827b limit 48135b",
    ]


def test_links_and_directions_lose_differently() -> None:
    spec = replace(PATH, a_to_b=replace(PATH.a_to_b, loss=0.1), b_to_a=replace(PATH.b_to_a, loss=0.1))
    lines = netem.commands(0, "one", spec, with_seed=True) + netem.commands(1, "two", spec, with_seed=True)
    assert len({line.split()[-1] for line in lines if "seed" in line}) == 4


@given(st.floats(0, 1000), st.integers(1000, 10**11), st.integers(1514, 10**9), st.floats(0, 1))
def test_neither_limit_nor_burst_ever_shortens_what_was_specified(
    delay_ms: float, rate: int, queue: int, jitter: float
) -> None:
    way = Direction(delay_ms, rate, queue, jitter_ms=delay_ms * jitter)
    burst, frame = tc_plan.burst_bytes(way, 1500), 1514
    assert burst >= frame
    rate_line = tc_plan.rate_command(way, 1500, "x0")
    assert rate_line is not None
    assert int(rate_line.split()[-1][:-1]) + burst - frame == queue
    product = rate / 8 * (way.delay_ms + way.jitter_ms) / 1000
    assert tc_plan.netem_limit(way, 1500) * tc_plan.SMALLEST_FRAME >= min(product, (2**32 - 1) * 42)


def test_statistics_are_read_as_tc_prints_them() -> None:
    text = (
        "qdisc noqueue 0: dev lo root refcnt 2 \n Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n"
        "qdisc tbf 8001: dev x0 root refcnt 5 rate 10Mbit burst 1827b lat 38.5ms \n"
        " Sent 96896 bytes 64 pkt (dropped 3, overlimits 120 requeues 0) \n backlog 0b 0p requeues 0\n"
    )
    assert netem.read_statistics(text) == {"x0": {"bytes": 96896, "packets": 64, "dropped": 3}}


class _Made:
    def __init__(self, *_: object, why: str) -> None:
        self.why = why


@pytest.mark.parametrize(
    ("wanted", "reason", "seed", "demanded", "backend_name"),
    [
        ("auto", "", True, True, "netem"),
        ("auto", "", False, False, "netem"),
        ("auto", "", False, True, "relay"),
        ("auto", "no netem", False, False, "relay"),
        ("relay", "", True, False, "relay"),
    ],
)
def test_auto_takes_netem_where_it_can_do_what_was_asked(
    monkeypatch: pytest.MonkeyPatch, wanted: str, reason: str, seed: bool, demanded: bool, backend_name: str
) -> None:
    monkeypatch.setattr(netem, "ability", lambda: netem.Ability(reason, seed, "tc"))
    monkeypatch.setattr("topologies.emulator.links.netem.NetemBackend", type("netem", (_Made,), {}))
    monkeypatch.setattr("topologies.emulator.links.relay_backend.RelayBackend", type("relay", (_Made,), {}))
    assert type(choice.choose(wanted, seed_demanded=demanded)).__name__ == backend_name


def test_netem_that_is_not_there_is_an_error_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netem, "ability", lambda: netem.Ability("this kernel has no netem", False, "tc"))
    with pytest.raises(backend.UnsupportedError, match="could not use the netem links: this kernel has no netem; use"):
        choice.choose("netem")


def test_a_seed_that_netem_cannot_take_is_an_error_when_both_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netem, "ability", lambda: netem.Ability("", False, "tc"))
    with pytest.raises(backend.UnsupportedError, match="seed"):
        choice.choose("netem", seed_demanded=True)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="none of auto, netem, relay"):
        choice.choose("ovs")


def test_a_link_spec_is_plain_data() -> None:
    assert LinkSpec(**{**PATH.__dict__}) == PATH
