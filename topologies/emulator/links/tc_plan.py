"""The kernel's shapers for one direction as `tc` commands, computed from the specification.

It runs nothing; `netem.py` does. Rate and delay sit on different interfaces in the middle of the path, so that neither
entangles with the sender's TCP small queues and each counts on its own.
"""

from __future__ import annotations

import math

from .spec import ETHERNET_HEADER, Direction

SMALLEST_FRAME = 42
"""An ARP frame between veths (nothing pads it to 60 bytes there): the most frames a byte can stand for."""

_TICK_S = 250e-6  # how late a loaded machine may serve the token bucket; the burst bridges it
_LONGEST_LIMIT = 2**32 - 1  # u32 in the kernel's tc_netem_qopt
_ORDERING_RATE = "1000gbit"  # netem keeps order only with a rate: every frame then follows its predecessor


def burst_bytes(way: Direction, mtu: int) -> int:
    """Token bucket of the TBF: one frame, and what the rate brings in a late tick, but at most a quarter of the queue.

    Tokens that a pause has saved leave at once; netem's own rate spaces them again. See tc-tbf(8).
    """
    frame = mtu + ETHERNET_HEADER
    assert way.rate_bps is not None
    return frame + min(math.ceil(way.rate_bps / 8 * _TICK_S), max(0, way.queue_bytes - frame) // 4)


def netem_limit(way: Direction, mtu: int) -> int:
    """Frames under way at most: the rate times the longest time in netem, in the smallest frames, plus its burst.

    netem drops what exceeds its limit without a word; its default of 1000 caps a long path silently.
    """
    rate_bps = way.rate_bps or 100e9
    held_s = (way.delay_ms + way.jitter_ms) / 1000 + (mtu + ETHERNET_HEADER) * 8 / rate_bps
    burst = burst_bytes(way, mtu) if way.rate_bps else mtu + ETHERNET_HEADER
    return min(math.ceil((rate_bps / 8 * held_s + burst) / SMALLEST_FRAME) + 1000, _LONGEST_LIMIT)


def rate_command(way: Direction, mtu: int, ifname: str) -> str | None:
    """The TBF on the inner interface, or None without a rate. The limit counts bytes of waiting frames (bfifo)."""
    if way.rate_bps is None:
        return None
    burst = burst_bytes(way, mtu)
    # What the burst lets through early waits in netem instead, so it is taken off the queue here.
    limit = way.queue_bytes - (burst - (mtu + ETHERNET_HEADER))
    return f"qdisc add dev {ifname} root tbf rate {way.rate_bps}bit burst {burst}b limit {limit}b"


def wire_command(way: Direction, mtu: int, ifname: str, seed: int | None) -> str | None:
    """The netem on the far interface, or None when the direction neither delays nor loses.

    Its rate equals the link's: it adds the serialisation that a TBF (which pays after sending) leaves out, keeps
    order under jitter, and never builds a queue because the TBF before it is no faster.
    """
    if way.delay_ms == 0 and way.loss == 0 and way.jitter_ms == 0:
        return None
    words = [f"qdisc add dev {ifname} root netem limit {netem_limit(way, mtu)} delay {way.delay_ms:.6f}ms"]
    if way.jitter_ms:
        words.append(f"{way.jitter_ms:.6f}ms")
    if way.loss:
        words.append(f"loss random {way.loss * 100:.7f}%")
    if way.rate_bps:
        words.append(f"rate {way.rate_bps}bit")
    elif way.jitter_ms:
        words.append(f"rate {_ORDERING_RATE}")
    if seed is not None and (way.loss or way.jitter_ms):
        words.append(f"seed {seed}")
    return " ".join(words)
