"""Corruption: one bit of a frame is inverted, seen below the checksums that would hide the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import binomial
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, count, none
from topologies.emulator.conformance.flow import HEADERS, SMALLEST, numbered
from topologies.emulator.conformance.frames import Frames
from topologies.emulator.conformance.play import play, steady
from topologies.emulator.conformance.stream import one_way
from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.effect import percent


def bits_inverted(frames: Sequence[bytes]) -> list[int]:
    """Of each frame, when they are numbered datagrams, all of which arrived in order: how many bits are not as sent.

    All headers are equal (see `Flow`), so each byte's own is what most frames have there.
    """
    sample = frames[: 1 + min(len(frames), 101)]
    usual = bytearray(sorted(column)[len(column) // 2] for column in zip(*sample, strict=True))
    found = []
    for value, frame in enumerate(frames):
        numbered(usual, HEADERS, value)
        found.append((int.from_bytes(frame, "big") ^ int.from_bytes(usual, "big")).bit_count())
    return found


@dataclass(frozen=True)
class Corruption(Check):
    """Some frames have one bit inverted, the others none; all arrive, in order."""

    share: float
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"corrupt {percent(self.share)} of {self.packets} packets"

    def measure(self, bed: Bed) -> list[Figure]:
        """Every frame as it arrives, against what was sent."""
        with (bed.link(one_way(Corrupt(self.share), seed=bed.attempt)) as link, link.flow("a_to_b", SMALLEST) as flow,
              Frames(link.end("b")[0], SMALLEST) as frames):  # fmt: skip
            # One by one: segments of one call would be numbered by the kernel, and no two headers equal.
            play([frames, flow], steady(1e9 / bed.frames_per_s, self.packets, flow.send), tail_s=1.0,
                 done=lambda: len(frames.seen) >= len(flow.sent))  # fmt: skip
            inverted = bits_inverted(frames.seen)
            low, high = binomial(len(flow.sent), self.share)
            return [
                Figure("one bit inverted", count(len(flow.sent) * self.share), inverted.count(1), low, high, count,
                       "99 % binomial interval"),
                none("more bits inverted, or out of order", sum(bits > 1 for bits in inverted)),
                none("lost", len(flow.sent) - len(inverted)),
            ]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """One share."""
    return [Corruption(0.02, 10_000 if quick else 50_000)]
