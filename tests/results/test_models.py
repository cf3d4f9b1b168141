"""The formulas that studies are judged by, against the tables that were published for them."""

from __future__ import annotations

import random

import pytest

from results.models.queueing import waiting_packets, waits_ms
from results.models.response import mean_window


@pytest.mark.parametrize(("name", "loss", "rtt_s", "segments"), [
    ("reno", 1e-2, 0.1, 12), ("reno", 1e-3, 0.1, 38), ("reno", 1e-4, 0.1, 120), ("cubic", 1e-2, 0.1, 12),
    ("cubic", 1e-3, 0.1, 38), ("cubic", 1e-4, 0.1, 187), ("cubic", 1e-4, 0.01, 120), ("cubic", 1e-8, 0.1, 187_000),
])  # fmt: skip
def test_windows_are_those_of_the_rfcs_tables(name: str, loss: float, rtt_s: float, segments: float) -> None:
    assert mean_window(name, loss, rtt_s) == pytest.approx(segments, rel=0.03)


def test_no_window_is_made_up_for_others() -> None:
    with pytest.raises(ValueError, match="no response function of bbr"):
        mean_window("bbr", 0.01, 0.1)


@pytest.mark.parametrize(("load", "packets"), [(0.0, 0.0), (0.5, 0.25), (0.6, 0.45), (0.7, 0.82), (0.8, 1.6)])
def test_the_queue_of_packets_that_arrive_by_chance(load: float, packets: float) -> None:
    assert waiting_packets(load) == pytest.approx(packets, abs=0.005)


def test_packet_by_packet_it_is_the_same_queue() -> None:
    noise, at, arrivals = random.Random(2), 0.0, []
    for _ in range(200_000):
        at += noise.expovariate(600)
        arrivals.append(at)
    waits = waits_ms(arrivals, 1.0)
    assert sum(waits) / len(waits) * 0.6 == pytest.approx(0.45, rel=0.03)
    assert waits_ms([0.0, 0.0, 0.0015, 0.01], 1.0) == [0.0, 1.0, pytest.approx(0.5), 0.0]


def test_a_full_load_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no mean"):
        waiting_packets(1.0)
