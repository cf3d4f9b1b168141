"""Playback over real HTTP: segments one after another on one persistent connection. `adaptation.py` decides; this does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from nodes.client.order import Order
from nodes.client.result import Result
from nodes.player.adaptation import Player, Settings


class Fetches(Protocol):
    """What the client's `Fetcher` does."""

    def fetch(self, order: Order) -> Result: ...


@dataclass
class Playback:
    """What became of it. Each of `segments` has `at_s` (asked for, since the start), `rate_kbps`, `throughput_kbps`,
    `estimate_kbps` and `buffer_s` (both when it was whole), `off_s` (idle before it) and `new_connection`."""

    started_ns: int = 0
    ok: bool = False
    error: str | None = None
    stalled_s: float = 0.0
    segments: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For one JSON line."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def play(fetcher: Fetches, url: str, settings: Settings, for_s: float, timeout_s: float) -> Playback:
    """Play for so long. `url` has `{size}` for a segment's bytes, and may have `{number}` and `{rate}`. The segment under way
    at the end is finished; one that fails ends the playback."""
    player, found = Player(settings), Playback(started_ns=time.time_ns())
    began = time.monotonic()
    number, off_s = 0, 0.0
    while (now := time.monotonic() - began) < for_s:
        if (wait_s := player.wait_s(now)) > 0:
            pause_s = min(wait_s, for_s - now)
            off_s += pause_s
            time.sleep(pause_s)
            continue
        number += 1
        rate = player.rate_kbps()
        size = settings.size_bytes(rate)
        result = fetcher.fetch(Order(url.format(size=size, number=number, rate=round(rate)), "reuse", timeout_s=timeout_s))
        done = time.monotonic() - began
        if not result.ok:
            found.error = f"segment {number}: {result.error}"
            break
        player.arrived(done, size, done - now)
        found.segments.append({
            "at_s": round(now, 3), "rate_kbps": rate, "throughput_kbps": round(size * 8e-3 / (done - now), 1),
            "estimate_kbps": round(player.estimate_kbps, 1), "buffer_s": round(player.buffered_s(done), 2),
            "off_s": round(off_s, 3), "new_connection": int(bool(result.new_connection)),
        })  # fmt: skip
        off_s = 0.0
    found.stalled_s, found.ok = round(player.stalled_s, 3), found.error is None
    return found
