"""Counters, gauges and one kind of histogram, written in Prometheus' text format 0.0.4.

It is not a client library: no registry, no threads, no timestamps. Names carry base units (`_seconds`, `_bytes`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BUCKETS_NS = tuple(round(bound * 1e9) for bound in BUCKETS_S)

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Counter:
    """One number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Histogram:
    """How many durations fell below each of `BUCKETS_S`."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """One duration."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds

    def observe_ends(self, began_ns: int, ends_ns: list[int]) -> None:
        """Several things that began together, with the moments at which they ended, in order."""
        self.sum_s += (sum(ends_ns) - began_ns * len(ends_ns)) / 1e9
        last_ns, before = ends_ns[-1] - began_ns, 0
        for place, bound_ns in enumerate(_BUCKETS_NS):
            if last_ns <= bound_ns:
                self.counts[place] += len(ends_ns) - before
                return
            until = bisect_right(ends_ns, began_ns + bound_ns)
            self.counts[place] += until - before
            before = until
        self.counts[-1] += len(ends_ns) - before


class Tally:
    """What is counted of requests with one status and one result, found once and kept at hand."""

    __slots__ = ("requests", "sent_bytes")

    def __init__(self, requests: Counter, sent_bytes: Counter) -> None:
        self.requests, self.sent_bytes = requests, sent_bytes

    def add(self, count: int, body_bytes: int) -> None:
        """So many requests, each with so much content."""
        self.requests.value += count
        self.sent_bytes.value += count * body_bytes


class Metrics:
    """Numbers of one daemon since it started. Each has the label `node`, the daemon's name, beside its own."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._counters: dict[_Key, Counter] = {}
        self._gauges: dict[_Key, float] = {}
        self._histograms: dict[_Key, Histogram] = {}
        self._before: list[Callable[[], None]] = []
        self._help: dict[str, str] = {}

    def declare(self, counters: Mapping[str, str], others: Mapping[str, str]) -> None:
        """Families by name, with what each of them is. `counters` have no labels and stand at zero until they count:
        Prometheus sees no increase in a sample that was not there before its first event."""
        self._help.update(counters)
        self._help.update(others)
        for name in counters:
            self.counter(name)

    def counter(self, name: str, **labels: str) -> Counter:
        """The counter itself, for code that counts often."""
        key = _key(name, labels)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Counter()
        return found

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self.counter(name, **labels).value += amount

    def tally(self, status: int, result: str) -> Tally:
        """The counters of requests with this status and result."""
        requests = self.counter("longhaul_requests_total", status=str(status), result=result)
        return Tally(requests, self.counter("longhaul_sent_bytes_total", result=result))

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._gauges[_key(name, labels)] = value

    def before_text(self, call: Callable[[], None]) -> None:
        """Have something called before the numbers are told, so that it can set gauges then."""
        self._before.append(call)

    def histogram(self, name: str, **labels: str) -> Histogram:
        """The histogram itself."""
        return self._histograms.setdefault(_key(name, labels), Histogram())

    def observe(self, name: str, seconds: float) -> None:
        """Put a duration into a histogram."""
        self.histogram(name).observe(seconds)

    def value(self, name: str, **labels: str) -> float:
        """A counter's sum over all label sets that hold `labels`."""
        wanted = set(labels.items())
        return sum(c.value for (key, has), c in self._counters.items() if key == name and wanted <= set(has))

    def text(self) -> str:
        """Everything, one family after another."""
        for call in self._before:
            call()
        lines: list[str] = []
        counters = {key: counter.value for key, counter in self._counters.items()}
        for kind, family in (("counter", counters), ("gauge", self._gauges)):
            seen = ""
            for (name, labels), value in sorted(family.items()):
                if name != seen:
                    lines += self._heading(name, kind)
                    seen = name
                lines.append(f"{name}{self._labels(labels)} {value:.15g}")
        seen = ""
        for (name, labels), histogram in sorted(self._histograms.items(), key=lambda item: item[0]):
            if name != seen:
                lines += self._heading(name, "histogram")
                seen = name
            running = 0
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), histogram.counts, strict=True):
                running += count
                lines.append(f"{name}_bucket{self._labels((*labels, ('le', bound)))} {running}")
            lines.append(f"{name}_sum{self._labels(labels)} {histogram.sum_s:.9g}")
            lines.append(f"{name}_count{self._labels(labels)} {running}")
        return "\n".join(lines) + "\n"

    def _heading(self, name: str, kind: str) -> list[str]:
        help_text = self._help.get(name)
        return [*([] if help_text is None else [f"# HELP {name} {help_text}"]), f"# TYPE {name} {kind}"]

    def _labels(self, labels: tuple[tuple[str, str], ...]) -> str:
        pairs = (("node", self._node), *labels)
        return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in pairs) + "}"


def _key(name: str, labels: dict[str, str]) -> _Key:
    if "node" in labels:
        raise ValueError(f"the label node of {name} is the daemon's own; two of one name make the text unreadable")
    return name, tuple(labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def summed(texts: Iterable[str]) -> str:
    """One text of several that come from workers of one daemon: equal samples added up, gauges too."""
    families: dict[str, dict[str, float]] = {}
    for text in texts:
        samples: dict[str, float] = {}
        for line in text.splitlines():
            if line.startswith("#"):
                samples = families.setdefault(line, {})
                continue
            sample, _, number = line.rpartition(" ")
            samples[sample] = samples.get(sample, 0.0) + float(number)
    lines: list[str] = []
    for kind, samples in families.items():
        lines.append(kind)
        lines += [f"{sample} {value:.15g}" for sample, value in samples.items()]
    return "\n".join(lines) + "\n"
