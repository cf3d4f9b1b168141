"""The slow-start model against formulas and published numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.models.slow_start import (
    MSS_BYTES,
    Leg,
    segment_sizes,
    through_cold_edge,
    train,
    transfer_time,
    window_after,
)

NO_LIMIT = None


def segments(count: int) -> int:
    """A body that, with its 300 bytes of header, fills `count` segments."""
    return count * MSS_BYTES - 300


@pytest.mark.parametrize(("size_bytes", "initial_window"), [(64_000, 10), (65_536, 10), (20_000, 4), (20_480, 4)])
@pytest.mark.parametrize(("rate_bps", "new", "warm"), [(100e6, (264, 267), (97, 102)), (5e6, (274, 308), (130, 207))])
def test_cold_and_warm_connection_of_high_performance_browser_networking(
    size_bytes: int, initial_window: int, rate_bps: float, new: tuple[float, float], warm: tuple[float, float]
) -> None:
    """Chapter 2: RTT 56 ms, think 40 ms; 264 ms new and 96 ms warm, without serialisation."""
    common = {"rtt_ms": 56.0, "think_ms": 40.0, "size_bytes": size_bytes, "initial_window": initial_window}
    cold = transfer_time(rate_bps=rate_bps, **common)  # type: ignore[arg-type]
    kept = transfer_time(rate_bps=rate_bps, new_connection=False, warm_window=150, **common)  # type: ignore[arg-type]
    assert new[0] <= cold.total_ms <= new[1]
    assert warm[0] <= kept.total_ms <= warm[1]
    assert transfer_time(rate_bps=NO_LIMIT, **common).total_ms == pytest.approx(264)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size_bytes", "window", "new_ms", "warm_ms"), [(64_000, 10, 305, 205), (20_000, 4, 276, 132)])
def test_the_same_at_5_mbit_as_computed_with_serialisation(size_bytes: int, window: int, new_ms: float, warm_ms: float) -> None:
    common = {"rtt_ms": 56.0, "rate_bps": 5e6, "think_ms": 40.0, "size_bytes": size_bytes, "initial_window": window}
    assert transfer_time(**common).total_ms == pytest.approx(new_ms, rel=0.02)  # type: ignore[arg-type]
    warm = transfer_time(**common, new_connection=False, warm_window=150)  # type: ignore[arg-type]
    assert warm.total_ms == pytest.approx(warm_ms, rel=0.02)


@pytest.mark.parametrize("count", [31, 50, 70])
def test_split_tcp_of_kurose_and_ross(count: int) -> None:
    """Three windows over 20 ms + 150 ms: 680 ms direct, 230 ms through the edge, 80 ms from it."""
    size = segments(count)
    assert transfer_time(rtt_ms=170, rate_bps=NO_LIMIT, size_bytes=size).total_ms == pytest.approx(680)
    backend = Leg(150, NO_LIMIT, new_connection=False, window=100)
    split = through_cold_edge(client=Leg(20, NO_LIMIT), origin=backend, size_bytes=size)
    assert split.total_ms == pytest.approx(230)
    assert split.first_byte_ms == pytest.approx(20 + 20 + 150)
    assert transfer_time(rtt_ms=20, rate_bps=NO_LIMIT, size_bytes=size).total_ms == pytest.approx(80)


@pytest.mark.parametrize("window", [1, 3, 4, 10, 16])
@pytest.mark.parametrize("count", [1, 3, 10, 11, 29, 30, 31, 42, 500])
def test_without_a_rate_limit_it_is_the_law_of_dukkipati(window: int, count: int) -> None:
    """Rounds r with window (2^r - 1) >= count, that is ceil(log2(count / window + 1)), and one for the handshake."""
    rounds = next(r for r in range(1, 20) if window * (2**r - 1) >= count)
    timing = transfer_time(rtt_ms=100, rate_bps=NO_LIMIT, size_bytes=segments(count), initial_window=window)
    assert timing.total_ms == pytest.approx(100 * (1 + rounds))


@pytest.mark.parametrize("rtt_ms", [1000, 3000])
@pytest.mark.parametrize("count", [32, 38, 42])
def test_initial_window_10_saves_one_round_trip_where_rounds_rule(rtt_ms: float, count: int) -> None:
    """At 1.2 Mbit/s the published band is 1.0 to 1.2 RTT."""
    three, ten = (
        transfer_time(rtt_ms=rtt_ms, rate_bps=1.2e6, size_bytes=segments(count), initial_window=window).total_ms
        for window in (3, 10)
    )
    assert 1.0 <= (three - ten) / rtt_ms <= 1.2


def test_initial_window_saves_nothing_where_the_link_rules() -> None:
    one, other = (
        transfer_time(rtt_ms=20, rate_bps=1.2e6, size_bytes=segments(40), initial_window=window).total_ms for window in (3, 10)
    )
    assert one - other == pytest.approx(0, abs=1)


def test_two_segments_by_hand() -> None:
    """Window 1, 12 Mbit/s: a full segment takes 1514 x 8 / 12,000 ms; the second waits for the first's ACK."""
    leg = Leg(rtt_ms=10, rate_bps=12e6, window=1)
    segment_ms, ack_ms = 1514 * 8 / 12_000, 66 * 8 / 12_000
    first, second = train(leg, [MSS_BYTES, MSS_BYTES], [100.0])
    assert first == pytest.approx(100 + segment_ms + 5)
    assert second == pytest.approx(first + 5 + ack_ms + segment_ms + 5)


def test_a_full_path_runs_at_the_rate_of_the_link() -> None:
    short, long = (transfer_time(rtt_ms=50, rate_bps=20e6, size_bytes=segments(n)).total_ms for n in (2000, 3000))
    assert long - short == pytest.approx(1000 * 1514 * 8 / 20e3, rel=1e-9)


def test_a_window_cap_limits_the_rate_to_window_over_rtt() -> None:
    def timing(count: int) -> float:
        return transfer_time(rtt_ms=100, rate_bps=NO_LIMIT, size_bytes=segments(count), largest_window=44).total_ms

    assert timing(440) - timing(220) == pytest.approx(500)


def test_the_edge_passes_bytes_on_before_it_has_them_all() -> None:
    origin = Leg(200, 10e6, new_connection=False, window=10)
    cold = through_cold_edge(client=Leg(20, 10e6), origin=origin, size_bytes=2_000_000)
    fetch = transfer_time(rtt_ms=200, rate_bps=10e6, size_bytes=2_000_000, new_connection=False)
    assert cold.total_ms < fetch.total_ms + 20 * 2 + 15


def test_a_reused_connection_has_no_handshake() -> None:
    assert transfer_time(rtt_ms=80, rate_bps=1e8, size_bytes=1000, new_connection=False).connect_ms == 0
    assert transfer_time(rtt_ms=80, rate_bps=NO_LIMIT, size_bytes=1000).connect_ms == 80


def test_a_warming_fetch_leaves_a_window_for_64_kb_in_one_round() -> None:
    window = window_after(200_000)
    assert window == 10 + 139
    warm = transfer_time(rtt_ms=56, rate_bps=NO_LIMIT, size_bytes=64_000, new_connection=False, warm_window=window)
    assert warm.total_ms == pytest.approx(56)


@given(
    st.integers(1, 400_000), st.floats(0, 500), st.one_of(st.none(), st.floats(1e5, 1e9)), st.integers(1, 40)
)  # fmt: skip
def test_times_are_ordered_and_never_beat_light_or_the_link(
    size: int, rtt_ms: float, rate_bps: float | None, window: int
) -> None:
    timing = transfer_time(rtt_ms=rtt_ms, rate_bps=rate_bps, size_bytes=size, initial_window=window)
    assert 0 <= timing.connect_ms <= timing.first_byte_ms <= timing.total_ms
    assert timing.first_byte_ms >= 2 * rtt_ms - 1e-6
    assert timing.total_ms >= 2 * rtt_ms + (size * 8e3 / rate_bps if rate_bps else 0) - 1e-6
    larger = transfer_time(rtt_ms=rtt_ms, rate_bps=rate_bps, size_bytes=size, initial_window=window + 1)
    assert larger.total_ms <= timing.total_ms + 1e-6


@pytest.mark.parametrize("size", [0, 1, MSS_BYTES, MSS_BYTES + 1, 10 * MSS_BYTES])
def test_segments_carry_every_byte(size: int) -> None:
    sizes = segment_sizes(size)
    assert sum(sizes) == size
    assert len(sizes) == max(1, -(-size // MSS_BYTES))


@pytest.mark.parametrize(
    "wrong", [{"rtt_ms": -1}, {"rtt_ms": float("nan")}, {"rate_bps": 0}, {"initial_window": 0}, {"size_bytes": -400}]
)
def test_absurd_values_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"not|nothing"):
        transfer_time(**({"rtt_ms": 10, "rate_bps": 1e6, "size_bytes": 10} | wrong))  # type: ignore[arg-type]
