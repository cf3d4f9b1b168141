"""When requests are due, in seconds from the beginning. It reads no clock and sends nothing.

An open loop does not wait for answers: what is due is due, however slow the server is, so that a server that stands still
delays all that was due meanwhile (G. Tene's "coordinated omission" is what a loop that waits for answers leaves out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice, repeat, takewhile
from random import Random

Times = Callable[[float, Random], Iterator[float]]


def poisson(rate_per_s: float, random: Random) -> Iterator[float]:
    """Independent arrivals: exponential gaps with this mean rate."""
    at_s = 0.0
    while True:
        at_s += random.expovariate(rate_per_s)
        yield at_s


def fixed(rate_per_s: float, _random: Random) -> Iterator[float]:
    """Equal gaps, the first one at once."""
    return (number / rate_per_s for number in count())


def burst(_rate_per_s: float, _random: Random) -> Iterator[float]:
    """All at once, at the beginning."""
    return repeat(0.0)


OPEN: dict[str, Times] = {"poisson": poisson, "fixed": fixed, "burst": burst}


def due(kind: str, rate_per_s: float, seed: int, seconds: float, requests: int) -> Iterator[float]:
    """Ascending times below `seconds`, at most so many. The same seed gives the same."""
    times = OPEN[kind](rate_per_s, Random(f"arrivals {seed}"))
    return islice(takewhile(lambda at_s: at_s < seconds, times), requests)
