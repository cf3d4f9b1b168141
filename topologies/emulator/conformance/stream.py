"""Many small packets at a steady pace over a link with effects on one direction. It judges nothing."""

from __future__ import annotations

from dataclasses import replace

from topologies.emulator.conformance.bed import NAME, Bed, Link
from topologies.emulator.conformance.check import TooSlowError
from topologies.emulator.conformance.flow import SMALLEST, Flow
from topologies.emulator.conformance.play import play, steady
from topologies.emulator.links.effects.effect import Effect
from topologies.emulator.links.spec import LinkSpec, symmetric, wire

DELAY_MS = 10.0
RATE_BPS = 100_000_000
QUEUE_BYTES = 1 << 20
BATCH = 64
"""So many at once that the sender sleeps in between: what carries its packets may have to share a processor with it."""


def one_way(*effects: Effect, seed: int = 1, delay_ms: float = DELAY_MS) -> LinkSpec:
    """A link of 100 Mbit/s with effects from a to b alone."""
    plain = symmetric(2 * delay_ms, RATE_BPS, QUEUE_BYTES, seed=seed)
    return replace(plain, a_to_b=replace(plain.a_to_b, effects=wire(*effects)))


def stream(bed: Bed, link: Link, there: int, back: int = 0) -> tuple[Flow, Flow]:
    """So many packets from a to b and from b to a, as fast as this machine can without overrunning anything; the flows,
    closed, with all that has arrived. Raises TooSlowError when the machine lost some on the way to the link or out of it."""
    gap_ns = BATCH * 1e9 / bed.frames_per_s
    with link.flow("a_to_b", SMALLEST) as one, link.flow("b_to_a", SMALLEST) as other:
        play([one, other], steady(gap_ns, there // BATCH, lambda: one.send(BATCH)),
             steady(gap_ns, back // BATCH, lambda: other.send(BATCH), gap_ns / 2), tail_s=0.5 + DELAY_MS / 100)  # fmt: skip
    lost = sum((way.overrun or 0) + (way.stranded or 0) for way in link.lab.links.counters()[NAME].values())
    if lost:
        raise TooSlowError(f"this machine lost {lost} packets beside the link at {bed.frames_per_s:.0f} a second each way")
    return one, other


def overtakers(flow: Flow) -> int:
    """How many packets arrived although one of a higher number had arrived before, copies counted once."""
    highest, found, seen = -1, 0, set[int]()
    for number, _ in flow.arrived:
        if number not in seen:
            found += number < highest
            seen.add(number)
        highest = max(highest, number)
    return found
