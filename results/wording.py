"""Numbers with the unit that their column's name states, for people; and the answer's sentence. It computes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from results.statistics import Estimate
from units import show_bps, show_bytes


def show(value: float, metric: str) -> str:
    """A value of a column such as `total_ms`, `size_bytes`, `rate_bps`, `hit_fraction`; a bare number for others."""
    _, joined, unit = metric.rpartition("_")
    if joined and unit in _SHOWN:
        return _SHOWN[unit](value)
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def show_change(value: float, metric: str) -> str:
    """A difference of two values; finer than `show` where it is small."""
    return f"{value:.2g} ms" if metric.endswith("_ms") and value < 10 else show(value, metric)


def milliseconds(value_ms: float) -> str:
    """A duration with as many digits as a millisecond instrument has: `61.24 ms`, `480.1 ms`, `12.35 s`."""
    if abs(value_ms) >= 10_000:
        return f"{value_ms / 1e3:.2f} s"
    return f"{value_ms:.2f} ms" if abs(value_ms) < 100 else f"{value_ms:,.1f} ms"


_SHOWN: Mapping[str, Callable[[float], str]] = {
    "ms": milliseconds, "s": lambda value: f"{value:.4g} s", "bytes": show_bytes, "bps": show_bps,
    "mbps": lambda value: show_bps(value * 1e6), "fraction": lambda value: f"{value * 100:.4g} %",
}  # fmt: skip


def interval(estimate: Estimate, metric: str) -> str:
    """The 95 % interval, or why there is none."""
    if estimate.note:
        return estimate.note
    return between(estimate.low, estimate.high, metric)


def between(low: float, high: float, metric: str) -> str:
    """`61.10 to 61.30 ms`: a unit that both share is said once."""
    one, other = show(low, metric), show(high, metric)
    number, _, unit = one.rpartition(" ")
    return f"{number} to {other}" if number and other.endswith(f" {unit}") else f"{one} to {other}"


def with_interval(estimate: Estimate, metric: str) -> str:
    """`61.24 ms (61.10 to 61.30 ms)`."""
    return f"{show(estimate.value, metric)} ({interval(estimate, metric)})"


def axis_label(metric: str) -> str:
    """`first_byte_ms` as `first byte (ms)`, for an axis."""
    name, _, unit = metric.rpartition("_")
    known = {"ms": "ms", "s": "s", "bytes": "bytes", "bps": "bit/s", "mbps": "Mbit/s", "fraction": "1"}
    return f"{name.replace('_', ' ')} ({known[unit]})" if name and unit in known else metric.replace("_", " ")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values for `{name}`; a name without a value becomes `(not measured)`. It is no format string: a template from
    a file must not reach attributes."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "(not measured)"), template)
