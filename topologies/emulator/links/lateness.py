"""A histogram of durations with a fixed, small memory: eight buckets per power of two.

It is not exact: a percentile is the upper edge of its bucket, at most 12.5 % above the true value. The
maximum is exact.
"""

from __future__ import annotations

from collections.abc import Iterable

BUCKETS = 8 * 64


class Histogram:
    """Counts non-negative nanoseconds."""

    __slots__ = ("_counts", "count", "max_ns")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self.count = self.max_ns = 0

    @classmethod
    def of(cls, counts: Iterable[int], max_ns: int) -> Histogram:
        """One that somebody else has counted, by the same buckets."""
        made = cls()
        made._counts = list(counts)
        made.count, made.max_ns = sum(made._counts), max_ns
        return made

    def add(self, value_ns: int) -> None:
        """Count one value; a negative one counts as zero."""
        self.count += 1
        if value_ns < 8:
            self._counts[value_ns if value_ns > 0 else 0] += 1
        else:
            shift = value_ns.bit_length() - 4
            self._counts[(shift << 3) + (value_ns >> shift)] += 1
        if value_ns > self.max_ns:  # noqa: PLR1730  (max() is a call, for every frame)
            self.max_ns = value_ns

    def merge(self, other: Histogram) -> None:
        """Add all that another one has counted."""
        self._counts = [a + b for a, b in zip(self._counts, other._counts, strict=True)]
        self.count += other.count
        self.max_ns = max(self.max_ns, other.max_ns)

    def percentile_ns(self, percent: float) -> int | None:
        """Smallest bucket edge that `percent` of the values do not exceed; None without values."""
        if not self.count:
            return None
        wanted = self.count * percent / 100
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= wanted and count:
                return min(_upper_edge(index), self.max_ns)
        return self.max_ns

    def rows(self) -> list[tuple[int, int]]:
        """(at most so many ns, how many values), ascending, without the empty buckets."""
        return [(min(_upper_edge(index), self.max_ns), count) for index, count in enumerate(self._counts) if count]


def _upper_edge(index: int) -> int:
    if index < 16:
        return index
    # The inverse of add(): index = 8 * shift + mantissa, with the mantissa in 8..15.
    shift = (index >> 3) - 1
    return ((index - (shift << 3) + 1) << shift) - 1
