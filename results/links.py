"""`links.json` checked and given types: what each link was asked to be, what was measured, what passed. It sets no tolerance.

The schema is in `results/README.md`. A field that a run did not record is None here, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WAYS = ("a_to_b", "b_to_a")
COUNTS = (
    "packets", "bytes", "delivered", "duplicated", "dropped_queue", "dropped_codel", "dropped_down", "lost", "failed",
    "overrun", "held", "corrupted", "overtook", "backlog_bytes", "backlog_packets", "intake_wait_max_ns", "unexplained",
)  # fmt: skip
"""What a backend counts of one direction, where it knows it."""


class LinksError(ValueError):
    """A `links.json` that is not as the schema says; the message names the link and the field."""


@dataclass(frozen=True)
class Asked:
    """One direction as specified. `effects` maps a word such as `loss` to its values as text; `trace` is the name, the
    period in ms and the mean rate in bit/s of a recording that drains the queue, None without one."""

    delay_ms: float
    rate_bps: float | None
    queue_bytes: float | None
    queue_packets: float | None
    codel: str
    trace: tuple[str, float, float] | None
    up: bool
    loss: float
    jitter_ms: float
    effects: Mapping[str, str]

    @property
    def shaped(self) -> bool:
        """Whether it asks for anything but a plain cable."""
        return bool(self.delay_ms or self.rate_bps or self.trace or self.effects or not self.up)


@dataclass(frozen=True)
class Rtt:
    """Echoes over a link: minimum, median and 99th percentile in ms (None: none came back) of `samples` out of `sent`.
    `level_ms` is what was held against the specification: the median, or the mean and others where chance has a say."""

    min_ms: float | None
    median_ms: float | None
    p99_ms: float | None
    samples: float | None
    sent: float | None
    level_ms: float | None = None


@dataclass(frozen=True)
class Seen:
    """One direction as measured. `burst_s` is how long the rate was kept up; with `sent_bps` the link passed all of that, and
    no more could be sent. `loss_low` to `loss_high` is the 99 % interval of the loss, `queue_bytes` the ceiling of the queue.
    `delay_ms` is the one-way time of `timed` echoes that was held against the specification, `spread_ms` how far they spread.
    The notes say why a number is None, or what was asked for and is not verified."""

    rate_note: str
    queue_note: str
    delay_note: str
    jitter_note: str
    codel_note: str
    rate_bps: float | None
    burst_s: float | None
    sent: float | None
    received: float | None
    overflowed: float | None
    loss_low: float | None
    loss_high: float | None
    queue_bytes: float | None
    sent_bps: float | None
    duplicated: float | None
    overtook: float | None
    delay_ms: float | None
    spread_ms: float | None
    timed: float | None


@dataclass(frozen=True)
class Passed:
    """One direction while the run went on: the backend's `counts` by name (those it knows), lateness as median, 99th
    percentile and maximum in ms, and as histogram of (at most so many ns, frames); None where it cannot know."""

    counts: Mapping[str, float]
    late_ms: tuple[float, float, float] | None
    histogram: tuple[tuple[float, float], ...] | None


@dataclass(frozen=True)
class Way:
    """One direction, from node to node. `schedule` is what it becomes while a trial runs, as asked for."""

    source: str
    target: str
    schedule: str
    asked: Asked
    before: Seen | None
    after: Seen | None
    passed: Passed | None


@dataclass(frozen=True)
class Link:
    """One link. `queue_rule` and `segments` say by which rule the queue and the largest packets were chosen. `slack_ms` is how
    far its times may be off on this machine where that is more than elsewhere: its processors were emulated."""

    name: str
    backend: str
    note: str
    estimate: bool
    rtt_ms: float
    mtu: int
    queue_rule: str
    segments: str
    rtt_before: Rtt | None
    rtt_after: Rtt | None
    ways: tuple[Way, Way]
    ok: bool
    reasons: tuple[str, ...]
    attempts: float | None
    slack_ms: float = 0.0

    @property
    def a(self) -> str:
        """The node at one end."""
        return self.ways[0].source

    @property
    def b(self) -> str:
        """The node at the other end."""
        return self.ways[0].target

    @property
    def rates_bps(self) -> tuple[float | None, float | None]:
        """Specified, a to b then b to a; the mean of a trace; None: not limited."""
        one, other = (way.asked.trace[2] if way.asked.trace else way.asked.rate_bps for way in self.ways)
        return one, other

    @property
    def plain(self) -> bool:
        """A cable that asks for nothing, and is as it should be."""
        return self.ok and not any(way.asked.shaped for way in self.ways)


def parse(raw: object) -> list[Link]:
    """Links from the content of the file. Raises LinksError."""
    found = raw.get("links") if isinstance(raw, dict) else None
    if not isinstance(found, list):
        raise LinksError("links.json has no list of links")
    return [_link(one, f"links.json: link {index}") for index, one in enumerate(found)]


def _link(raw: object, at: str) -> Link:
    found = _mapping(raw, at)
    for key in ("name", "a", "b", "specified", "ok", "reasons"):
        if key not in found:
            raise LinksError(f"{at} lacks {key}")
    at = f"{at} ({found['name']})"
    specified = _mapping(found["specified"], f"{at}.specified")
    if not isinstance(found["reasons"], list):
        raise LinksError(f"{at}.reasons is not a list")
    a, b = str(found["a"]), str(found["b"])
    schedule = _mapping(specified.get("schedule"), f"{at}.specified.schedule")
    parts = {key: _mapping(found.get(key), f"{at}.{key}") for key in ("before", "after", "during")}
    one, other = (
        Way(*ends, str(schedule.get(way) or ""), _asked(specified.get(way), f"{at}.specified.{way}"),
            _seen(parts["before"], way, f"{at}.before"), _seen(parts["after"], way, f"{at}.after"),
            _passed(parts["during"].get(way), f"{at}.during.{way}"))
        for way, ends in zip(WAYS, ((a, b), (b, a)), strict=True)
    )  # fmt: skip
    return Link(
        name=str(found["name"]),
        backend=str(found.get("backend", "")),
        note=str(found.get("note") or ""),
        estimate=found.get("estimate") is True,
        rtt_ms=number(specified, "rtt_ms", f"{at}.specified") or 0.0,
        mtu=int(number(specified, "mtu", f"{at}.specified") or 1500),
        queue_rule=str(specified.get("queue_rule") or ""),
        segments=str(specified.get("segments") or ""),
        rtt_before=_rtt(parts["before"].get("rtt_ms"), f"{at}.before.rtt_ms"),
        rtt_after=_rtt(parts["after"].get("rtt_ms"), f"{at}.after.rtt_ms"),
        ways=(one, other),
        ok=found["ok"] is True,
        reasons=tuple(map(str, found["reasons"])),
        attempts=number(found, "attempts", at),
        slack_ms=number(found, "slack_ms", at) or 0.0,
    )


def _asked(raw: object, at: str) -> Asked:
    found = _mapping(raw, at)
    loss, jitter_ms = (number(found, key, at) or 0.0 for key in ("loss", "jitter_ms"))
    effects = {str(word): str(text) for word, text in _mapping(found.get("effects"), f"{at}.effects").items()}
    if "effects" not in found:  # a run of a version that knew these two only
        effects |= {"loss": f"{100 * loss:.4g}%"} if loss else {}
        effects |= {"jitter": f"{jitter_ms:.4g}ms uniform"} if jitter_ms else {}
    trace = _mapping(found.get("trace"), f"{at}.trace")
    times = [number(trace, key, f"{at}.trace") or 0.0 for key in ("period_ms", "mean_bps")]
    return Asked(
        delay_ms=number(found, "delay_ms", at) or 0.0,
        rate_bps=number(found, "rate_bps", at),
        queue_bytes=number(found, "queue_bytes", at),
        queue_packets=number(found, "queue_packets", at),
        codel=str(found.get("codel") or ""),
        trace=(str(trace.get("name", "trace")), times[0], times[1]) if trace else None,
        up=found.get("up") is not False,
        loss=loss,
        jitter_ms=jitter_ms,
        effects=effects,
    )


def _rtt(raw: object, at: str) -> Rtt | None:
    found = _mapping(raw, at)
    values = [number(found, key, at) for key in ("min", "median", "p99", "samples", "sent", "level")]
    return Rtt(*values) if found else None


def _seen(raw: Mapping[str, Any], way: str, at: str) -> Seen | None:
    found, at = _mapping(raw.get(way), f"{at}.{way}"), f"{at}.{way}"
    keys = ("rate_bps", "burst_s", "sent", "received", "overflowed", "loss_low", "loss_high", "queue_bytes",
            "sent_bps", "duplicated", "overtook", "delay_ms", "spread_ms", "timed")  # fmt: skip
    values = [number(found, key, at) for key in keys]
    rate, queue, delay, jitter, codel = (str(found.get(f"{what}_note") or "")
                                         for what in ("rate", "queue", "delay", "jitter", "codel"))  # fmt: skip
    return Seen(rate, queue, delay, jitter, codel, *values) if found else None


def _passed(raw: object, at: str) -> Passed | None:
    found = _mapping(raw, at)
    if not found:
        return None
    counts = {key: number(found, key, at) for key in COUNTS}
    late = _mapping(found.get("lateness_ms"), f"{at}.lateness_ms")
    times = [number(late, key, f"{at}.lateness_ms") for key in ("median", "p99", "max")]
    known = [value for value in times if value is not None]
    return Passed(
        counts={key: value for key, value in counts.items() if value is not None},
        late_ms=(known[0], known[1], known[2]) if len(known) == 3 else None,
        histogram=_histogram(found.get("lateness"), f"{at}.lateness"),
    )


def _histogram(raw: object, at: str) -> tuple[tuple[float, float], ...] | None:
    if raw is None:
        return None
    if not isinstance(raw, list) or not all(isinstance(one, (list, tuple)) and len(one) == 2 for one in raw):
        raise LinksError(f"{at} is {repr(raw)[:60]}, not a list of pairs")
    pairs = [{"ns": one[0], "frames": one[1]} for one in raw]
    found = [(number(one, "ns", at) or 0.0, number(one, "frames", at) or 0.0) for one in pairs]
    if any(ns < 0 or frames < 0 for ns, frames in found):
        raise LinksError(f"{at} counts below zero")
    return tuple(found)


def _mapping(raw: object, at: str) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise LinksError(f"{at} is {repr(raw)[:60]}, not an object")
    return raw


def number(raw: Mapping[str, Any], key: str, at: str) -> float | None:
    """A number of an object, None where it is missing or null. Raises LinksError for anything else."""
    value = raw.get(key)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise LinksError(f"{at}.{key} is {repr(value)[:60]}, not a finite number")
    return float(value)
