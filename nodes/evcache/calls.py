"""EVCache's metric of calls, `evcache.client.call`, in Prometheus' form: how many, and how long, by operation, zone, attempt.

It measures nothing; whoever calls does.
"""

from __future__ import annotations

from nodes.http.metrics import Counter, Histogram, Metrics

COUNTED, TOOK = "evcache_client_call_total", "evcache_client_call_seconds"
ATTEMPTS = ("initial", "second", "third_up")
"""EVCache's words for which zone of a read's order was asked."""
FINE = ("hit", "miss", "unsealed", "stored", "newer", "raced", "gone")


class Calls:
    """Counters are looked up once for each set of tags."""

    def __init__(self, metrics: Metrics, app: str) -> None:
        self.metrics, self._app = metrics, app
        self._known: dict[tuple[str, str, int, str], tuple[Counter, Histogram]] = {}

    def note(self, operation: str, zone: str, attempt: int, result: str, seconds: float) -> None:
        """One call. `result` is `hit`, `miss` or `unsealed` of a read, `stored`, `newer` or `raced` of a write, or the
        reason of a failure."""
        found = self._known.get((operation, zone, attempt, result))
        if found is None:
            tags = {"cache": self._app, "op": operation, "zone": zone, "attempt": ATTEMPTS[min(attempt, 2)]}
            hit = {"hit": "yes" if result == "hit" else "no"} if operation == "GET" else {}
            status = "success" if result in FINE else "error"
            found = self._known[(operation, zone, attempt, result)] = (
                self.metrics.counter(COUNTED, **tags, **hit, result=result, status=status),
                self.metrics.histogram(TOOK, **tags),
            )
        found[0].value += 1
        found[1].observe(seconds)
