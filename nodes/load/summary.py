"""What many records say together. Percentiles are of nearest rank. It knows nothing of zones or of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COLUMNS = {
    "requests": "requests that were due",
    "failed": "requests without a whole answer below 400",
    "p50_ms": "median latency from when a request was due to its last byte, of those that did not fail",
    "p99_ms": "99th percentile of the same",
    "max_ms": "the longest of the same",
    "rate_per_s": "answers a second from the first request due to the last answer",
    "late_p99_ms": "99th percentile of how late the generator itself was",
}


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of all do not exceed (nearest rank). Raises ValueError for no values."""
    if not values:
        raise ValueError("there are no values")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1e6) // 1_000_000) - 1)]


def summary(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """COLUMNS of records; a time is None where no request has one."""
    rows = list(rows)
    took = [row["latency_ms"] for row in rows if row["latency_ms"] is not None]
    found: dict[str, Any] = {"requests": len(rows), "failed": sum(bool(row["error"]) for row in rows)}
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0)):
        found[name] = percentile(took, share) if took else None
    ends = [row["last_byte_ms"] for row in rows if row["latency_ms"] is not None]
    span_ms = max(ends) - min(row["due_ms"] for row in rows) if ends else 0.0
    found["rate_per_s"] = round(len(took) / span_ms * 1e3, 3) if span_ms > 0 else None
    found["late_p99_ms"] = percentile([row["late_ms"] for row in rows], 0.99) if rows else None
    return found


def first_errors(rows: Iterable[Mapping[str, Any]], most: int = 3) -> str:
    """The commonest errors with their counts, for a sentence."""
    counts = Counter(str(row["error"]) for row in rows if row["error"])
    return "; ".join(f"{count} x {text}" for text, count in counts.most_common(most))
