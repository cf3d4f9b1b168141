"""`links.json` checked and given types: what each link was asked to be, and what was measured. It sets no tolerance.

The schema is in `results/README.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from units import show_ms

WAYS = ("a_to_b", "b_to_a")


class LinksError(ValueError):
    """A `links.json` that is not as the schema says; the message names the link and the field."""


@dataclass(frozen=True)
class Traffic:
    """What passed in both directions during the run; `late_ms` is the larger p99 of the two, None when unknown."""

    packets: int
    dropped_queue: int
    lost: int
    late_ms: float | None


@dataclass(frozen=True)
class Link:
    """One link. `rates_bps` are specified, a to b then b to a (None: not limited); `seen_*` were measured before the
    run (None: not measured), `seen_rtt_ms` as minimum, median and 99th percentile."""

    name: str
    a: str
    b: str
    backend: str
    note: str
    estimate: bool
    rtt_ms: float
    rates_bps: tuple[float | None, float | None]
    losses: tuple[float, float]
    jitters_ms: tuple[float, float]
    seen_rtt_ms: tuple[float, float, float] | None
    seen_rates_bps: tuple[float | None, float | None]
    during: Traffic | None
    ok: bool
    reasons: tuple[str, ...]


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
    specified, before = _mapping(found["specified"], f"{at}.specified"), _mapping(found.get("before"), f"{at}.before")
    rtt = _mapping(before.get("rtt_ms"), f"{at}.before.rtt_ms")
    if not isinstance(found["reasons"], list):
        raise LinksError(f"{at}.reasons is not a list")
    seen = [_number(rtt.get(key), f"{at}.before.rtt_ms.{key}") for key in ("min", "median", "p99")] if rtt else []
    return Link(
        name=str(found["name"]),
        a=str(found["a"]),
        b=str(found["b"]),
        backend=str(found.get("backend", "")),
        note=str(found.get("note") or ""),
        estimate=found.get("estimate") is True,
        rtt_ms=_number(specified.get("rtt_ms"), f"{at}.specified.rtt_ms") or 0.0,
        rates_bps=_rates(specified, f"{at}.specified"),
        losses=_both(specified, "loss", f"{at}.specified"),
        jitters_ms=_both(specified, "jitter_ms", f"{at}.specified"),
        seen_rtt_ms=(seen[0], seen[1], seen[2]) if seen and None not in seen else None,  # type: ignore[arg-type]
        seen_rates_bps=_rates(before, f"{at}.before"),
        during=_traffic(found.get("during"), f"{at}.during"),
        ok=found["ok"] is True,
        reasons=tuple(map(str, found["reasons"])),
    )


def impairments(link: Link) -> tuple[str, ...]:
    """What a link does to packets besides delay and rate, in words; empty for most links."""
    losses = [f"{100 * loss:.4g} %" for loss in link.losses]
    jitters = [f"±{show_ms(ms)}" for ms in link.jitters_ms]
    return tuple(f"{name} " + (one if one == other else f"{one} / {other}")
                 for name, (one, other), values in (("loss", losses, link.losses), ("jitter", jitters, link.jitters_ms))
                 if any(values))  # fmt: skip


def _traffic(raw: object, at: str) -> Traffic | None:
    found = _mapping(raw, at)
    ways = [_mapping(found.get(way), f"{at}.{way}") for way in WAYS if found.get(way)]
    if not ways:
        return None

    def total(key: str) -> int:
        return int(sum(_number(way.get(key), f"{at}.{key}") or 0 for way in ways))

    late = [_number(_mapping(way.get("lateness_ms"), f"{at}.lateness_ms").get("p99"), f"{at}.lateness_ms.p99")
            for way in ways]  # fmt: skip
    known = [value for value in late if value is not None]
    return Traffic(total("packets"), total("dropped_queue"), total("lost"), max(known) if known else None)


def _rates(raw: Mapping[str, Any], at: str) -> tuple[float | None, float | None]:
    one, other = (_number(_mapping(raw.get(way), f"{at}.{way}").get("rate_bps"), f"{at}.{way}.rate_bps") for way in WAYS)
    return one, other


def _both(raw: Mapping[str, Any], key: str, at: str) -> tuple[float, float]:
    one, other = (_number(_mapping(raw.get(way), f"{at}.{way}").get(key), f"{at}.{way}.{key}") or 0.0 for way in WAYS)
    return one, other


def _mapping(raw: object, at: str) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise LinksError(f"{at} is {repr(raw)[:60]}, not an object")
    return raw


def _number(raw: object, at: str) -> float | None:
    if raw is None:
        return None
    if not isinstance(raw, (int, float)) or isinstance(raw, bool) or not math.isfinite(raw):
        raise LinksError(f"{at} is {repr(raw)[:60]}, not a finite number")
    return float(raw)
