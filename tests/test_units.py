"""Quantities carry their unit; a bare number is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import units


@pytest.mark.parametrize(("text", "ms"), [("76ms", 76), ("1.5s", 1500), ("250us", 0.25), (" 2 min ", 120_000), ("0ms", 0)])
def test_durations_become_milliseconds(text, ms):
    assert units.milliseconds(text) == pytest.approx(ms)


@pytest.mark.parametrize(
    ("text", "bps"), [("100mbit", 10**8), ("1.2Mbit/s", 1_200_000), ("10gbit", 10**10), ("56kbit", 56_000)]
)
def test_rates_are_bits_in_powers_of_1000(text, bps):
    assert units.bits_per_second(text) == bps


@pytest.mark.parametrize(("text", "size"), [("64KiB", 65536), ("64KB", 64000), ("1500B", 1500), ("10GiB", 10 * 2**30)])
def test_sizes_tell_1000_from_1024(text, size):
    assert units.byte_count(text) == size


@pytest.mark.parametrize("parse", [units.milliseconds, units.bits_per_second, units.byte_count, units.fraction])
@pytest.mark.parametrize("text", ["76", "0", "", "ms", "1e400ms", "seven ms", "10 parsec", "nan ms", "1,5s"])
def test_what_is_no_quantity_is_refused_with_an_example(parse, text):
    with pytest.raises(units.UnitError, match="write for example"):
        parse(text)


def test_megabytes_a_second_are_no_rate():
    # tc reads mbps as megabytes a second, everybody else as megabits
    with pytest.raises(units.UnitError):
        units.bits_per_second("10mbps")


@given(st.integers(0, 2**40))
def test_a_size_in_bytes_comes_back(size):
    assert units.byte_count(f"{size}B") == size


@given(st.floats(0.001, 1e6))
def test_seconds_and_milliseconds_agree(value):
    assert units.milliseconds(f"{value}s") == pytest.approx(1000 * units.milliseconds(f"{value}ms"))


@pytest.mark.parametrize(("shown", "text"), [
    (units.show_ms(76), "76 ms"), (units.show_ms(0.05), "50 us"), (units.show_ms(12_000), "12 s"),
    (units.show_bps(10**8), "100 Mbit/s"), (units.show_bytes(65536), "64 KiB"), (units.show_bytes(900), "900 B"),
])  # fmt: skip
def test_people_get_short_words(shown, text):
    assert shown == text
