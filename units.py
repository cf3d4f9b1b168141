"""Quantities as text with a unit, and back.

It is the one vocabulary that topologies, nodes and experiments share; it is not a units library: four kinds of
quantity, each with one base unit that its name states. A bare number is refused, because `tc` and Mininet read
the same bare number differently (bytes or bits, micro- or milliseconds).
"""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*?)?\s*")

_MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6}
_BITS_PER_SECOND = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "tbit": 1e12}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip


class UnitError(ValueError):
    """A text that is not a quantity of the wanted kind; the message says what would be. It is not a range check."""


def milliseconds(text: str) -> float:
    """Duration in milliseconds from text such as `76ms`, `1.5s`, `250us`. Raises UnitError."""
    return _quantity(text, "a duration", _MILLISECONDS, "76ms, 1.5s, 250us")


def bits_per_second(text: str) -> int:
    """Rate in bit/s (powers of 1000) from text such as `100mbit`, `1.2Mbit/s`, `10gbit`. Raises UnitError."""
    bare = re.sub(r"(?i)/s$", "", text.strip())
    return round(_quantity(bare, "a rate", _BITS_PER_SECOND, "100mbit, 1.2mbit, 10gbit (bits a second)", said=text))


def byte_count(text: str) -> int:
    """Size in bytes from text such as `64KiB` (1024) or `64KB` (1000). Raises UnitError."""
    return round(_quantity(text, "a size", _BYTES, "64KiB, 4MiB, 10GB, 1500B"))


def fraction(text: str) -> float:
    """Fraction of one from text such as `0.1%`. Raises UnitError; it does not check that it is at most one."""
    return _quantity(text, "a percentage", {"%": 0.01}, "0.1%, 2%")


def _quantity(text: str, kind: str, units: dict[str, float] | dict[str, int], examples: str, said: str = "") -> float:
    match = _NUMBER.fullmatch(text)
    if not match:
        raise UnitError(f"'{said or text}' is not {kind}; write for example {examples}")
    number, unit = match.groups()
    if unit is None:
        raise UnitError(f"'{said or text}' has no unit; write for example {examples}")
    factor = units.get(unit.lower())
    if factor is None:
        raise UnitError(f"'{said or text}' has the unit '{unit}', which is not one of {', '.join(units)}; "
                        f"write for example {examples}")  # fmt: skip
    value = float(number) * factor
    if not math.isfinite(value):
        raise UnitError(f"'{said or text}' is not finite; write for example {examples}")
    return value


def show_ms(value_ms: float) -> str:
    """Duration for a person: `76 ms`, `1.5 s`, `250 us`; four significant digits, not for machines to read back."""
    if value_ms >= 10_000:
        return f"{value_ms / 1e3:.4g} s"
    return f"{value_ms * 1e3:.4g} us" if 0 < value_ms < 0.1 else f"{value_ms:.4g} ms"


def show_bps(value_bps: float) -> str:
    """Rate for a person: `100 Mbit/s`; four significant digits."""
    return _scaled(value_bps, ((1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")), "bit/s")


def show_bytes(value_bytes: float) -> str:
    """Size for a person, in powers of 1024: `64 KiB`; four significant digits."""
    return _scaled(value_bytes, ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")), "B")


def _scaled(value: float, steps: tuple[tuple[float, str], ...], base: str) -> str:
    for size, unit in steps:
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:.4g} {base}"
