"""Counters, gauges and one kind of histogram, written in Prometheus' text format 0.0.4.

It is not a client library: no registry, no threads, no timestamps. Names carry base units (`_seconds`, `_bytes`).
"""

from __future__ import annotations

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Metrics:
    """Numbers of one daemon since it started."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._counters: dict[_Key, float] = {}
        self._gauges: dict[_Key, float] = {}
        self._histograms: dict[str, tuple[list[int], list[float]]] = {}

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = (name, tuple(labels.items()))
        self._counters[key] = self._counters.get(key, 0) + amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._gauges[(name, tuple(labels.items()))] = value

    def observe(self, name: str, seconds: float) -> None:
        """Put a duration into a histogram."""
        counts, total = self._histograms.setdefault(name, ([0] * (len(BUCKETS_S) + 1), [0.0]))
        place = next((i for i, bound in enumerate(BUCKETS_S) if seconds <= bound), len(BUCKETS_S))
        counts[place] += 1
        total[0] += seconds

    def value(self, name: str, **labels: str) -> float:
        """A counter's sum over all label sets that hold `labels`."""
        wanted = set(labels.items())
        return sum(v for (key, has), v in self._counters.items() if key == name and wanted <= set(has))

    def text(self) -> str:
        """Everything, one family after another."""
        lines: list[str] = []
        for kind, family in (("counter", self._counters), ("gauge", self._gauges)):
            seen = ""
            for (name, labels), value in sorted(family.items()):
                if name != seen:
                    lines.append(f"# TYPE {name} {kind}")
                    seen = name
                lines.append(f"{name}{self._labels(labels)} {value:.15g}")
        for name, (counts, total) in sorted(self._histograms.items()):
            lines.append(f"# TYPE {name} histogram")
            running = 0
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), counts, strict=True):
                running += count
                lines.append(f"{name}_bucket{self._labels((('le', bound),))} {running}")
            lines.append(f"{name}_sum{self._labels(())} {total[0]:.9g}")
            lines.append(f"{name}_count{self._labels(())} {running}")
        return "\n".join(lines) + "\n"

    def _labels(self, labels: tuple[tuple[str, str], ...]) -> str:
        pairs = (("node", self._node), *labels)
        return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in pairs) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
