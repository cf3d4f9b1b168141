"""Made-up links for `links.json`, as this version writes them and as older ones did. No lab made them."""

from __future__ import annotations

from typing import Any

RATE_BPS = 100e6


def lateness(frames: int = 41_236, worst_ns: int = 1_300_000) -> list[list[int]]:
    """A relay's histogram, [at most so many ns, frames]: most are early, a few in a thousand late, one the latest."""
    shares = ((2_000, 0.11), (8_000, 0.32), (30_000, 0.4), (100_000, 0.13), (210_000, 0.035), (600_000, 0.004))
    found = [[ns, int(frames * share)] for ns, share in shares]
    return [*found, [worst_ns, frames - sum(count for _, count in found)]]


def way(rtt_ms: float, **more: Any) -> dict[str, Any]:
    """One direction as specified."""
    return {
        "delay_ms": rtt_ms / 2, "rate_bps": int(RATE_BPS), "queue_bytes": 2_800_000, "queue_packets": None, "codel": None,
        "trace": None, "up": True, "loss": 0.0, "jitter_ms": 0.0, "effects": {},
    } | more  # fmt: skip


def measured(rtt_ms: float, more_ms: float = 0.0, **more: Any) -> dict[str, Any]:
    """A link as measured; `more` goes into both directions."""
    own_ms = rtt_ms + 2 * 50 * 8e3 / RATE_BPS
    seen = {"rate_bps": 99.6e6, "burst_s": 0.02, "sent": 200, "received": 200, "overflowed": 0, "loss_low": 0.0,
            "loss_high": 0.0262, "queue_bytes": 2_771_000, "queue_note": None, "rate_note": None, "sent_bps": None,
            "duplicated": 0, "overtook": 0, "delay_ms": own_ms / 2 + 0.09, "spread_ms": 0.02, "timed": 16} | more  # fmt: skip
    return {
        "rtt_ms": {"min": own_ms + more_ms + 0.1, "median": own_ms + more_ms + 0.19, "p99": own_ms + more_ms + 0.44,
                   "samples": 16, "sent": 16, "level": own_ms + more_ms + 0.19},
        "a_to_b": seen, "b_to_a": seen | {"rate_bps": seen["rate_bps"] * 0.995 if seen["rate_bps"] else None},
    }  # fmt: skip


def during(frames: int = 41_236, **more: Any) -> dict[str, Any]:
    """What passed in one direction of a relay."""
    return {
        "packets": frames, "bytes": 1480 * frames, "delivered": frames, "dropped_queue": 0, "lost": 0, "failed": 0,
        "dropped_codel": 0, "dropped_down": 0, "duplicated": 0, "corrupted": 0, "overtook": 0, "held": 0, "overrun": 0,
        "unexplained": 0, "backlog_bytes": None, "backlog_packets": None, "lateness": lateness(frames),
        "lateness_p50_ns": 50_000, "lateness_p99_ns": 210_000, "lateness_max_ns": 1_300_000, "intake_wait_max_ns": 0,
        "lateness_ms": {"median": 0.05, "p99": 0.21, "max": 1.3},
    } | more  # fmt: skip


def kernel(frames: int = 41_236, **more: Any) -> dict[str, Any]:
    """What passed in one direction of netem: no lateness, but the kernel's own queues."""
    unknown = ("corrupted", "lateness", "lateness_p50_ns", "lateness_p99_ns", "lateness_max_ns", "intake_wait_max_ns")
    late = {"lateness_ms": {"median": None, "p99": None, "max": None}, "backlog_bytes": 0, "backlog_packets": 0}
    return during(frames) | dict.fromkeys(unknown) | late | more


def link(name: str, a: str, b: str, rtt_ms: float, **more: Any) -> dict[str, Any]:
    """A sound link of a relay, measured before and after, as this version writes it."""
    return {
        "name": name, "a": a, "b": b, "backend": "relay", "estimate": False, "note": "published table",
        "specified": {"rtt_ms": rtt_ms, "a_to_b": way(rtt_ms), "b_to_a": way(rtt_ms), "mtu": 1500, "seed": 7,
                      "queue_rule": "100 Mbit/s x 223 ms = 2.66 MiB",
                      "segments": "packets of at most the MTU: the rate is at most 2 Gbit/s"},
        "before": measured(rtt_ms), "after": measured(rtt_ms, 0.05),
        "during": {"a_to_b": during(), "b_to_a": during(52_001)}, "ok": True, "reasons": [], "attempts": 1,
    } | more  # fmt: skip


def old_link(name: str, a: str, b: str, rtt_ms: float, **more: Any) -> dict[str, Any]:
    """The same as versions wrote it that knew neither effects nor queue ceilings nor histograms."""
    asked = {"delay_ms": rtt_ms / 2, "rate_bps": int(RATE_BPS), "queue_bytes": 2_800_000, "loss": 0.0, "jitter_ms": 0.0}
    passed = {"packets": 41_236, "bytes": 61_000_000, "dropped_queue": 0, "lost": 0,
              "lateness_ms": {"median": 0.05, "p99": 0.21, "max": 1.3}}  # fmt: skip
    return {
        "name": name, "a": a, "b": b, "backend": "relay", "estimate": False, "note": "published table",
        "specified": {"rtt_ms": rtt_ms, "a_to_b": asked, "b_to_a": asked, "mtu": 1500, "queue_rule": "given"},
        "before": {"rtt_ms": {"min": rtt_ms + 0.1, "median": rtt_ms + 0.19, "p99": rtt_ms + 0.44, "samples": 20},
                   "a_to_b": {"rate_bps": 99.6e6, "sent": 200, "received": 200},
                   "b_to_a": {"rate_bps": 99.1e6, "sent": 200, "received": 200}},
        "during": {"a_to_b": passed, "b_to_a": passed}, "ok": True, "reasons": [],
    } | more  # fmt: skip


def links() -> dict[str, Any]:
    cable = way(0, rate_bps=None, queue_bytes=48_448)
    inside = {"rtt_ms": 0, "a_to_b": cable, "b_to_a": cable, "mtu": 1500, "queue_rule": "none needed"}
    return {
        "backend": "relay",
        "links": [
            link("virginia-mumbai", "router.virginia", "router.mumbai", 201.0),
            link("mumbai-chennai", "router.mumbai", "router.chennai", 22.0, estimate=True),
            link(
                "origin1.az1.virginia",
                "origin1.az1.virginia",
                "router.virginia",
                0,
                specified=inside,
                before=None,
                during=None,
            ),
        ],
    }
