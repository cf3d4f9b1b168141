"""What the effects of a direction do to frames of the probe, as probabilities. It draws nothing and judges nothing."""

from __future__ import annotations

from ..effects.chance import Chance
from ..effects.gilbert_elliott import GilbertElliott
from ..spec import Direction

HARMLESS_BITS = 49
"""Of a corrupted frame: nobody looks at the 48 bits of the sender's MAC address, and the bit that makes the receiver's a
multicast one lets the frame pass. Every other bit is under a checksum, or the frame is no longer for the receiver."""


def chance(way: Direction, word: str) -> float:
    """The probability of the effect of that name, 0 where it is not."""
    return sum(effect.probability for effect in way.effects if isinstance(effect, Chance) and effect.word == word)


def spoilt(way: Direction, frame_bytes: int) -> float:
    """That a copy is corrupted where the receiver notices, and throws it away."""
    return chance(way, "corrupt") * (1.0 - HARMLESS_BITS / (8.0 * frame_bytes))


def vanishes(way: Direction, frame_bytes: int) -> float:
    """That no copy of a frame is received. A frame both lost and doubled arrives once; else the copy has draws of its own."""
    if not way.up:
        return 1.0
    lost, bad, twice = way.loss, spoilt(way, frame_bytes), chance(way, "duplicate")
    copy_gone = lost + (1.0 - lost) * bad
    return (1.0 - twice) * copy_gone + twice * (lost * bad + (1.0 - lost) * bad * copy_gone)


def doubled(way: Direction, frame_bytes: int) -> float:
    """That two copies of a frame are received."""
    sound = (1.0 - way.loss) * (1.0 - spoilt(way, frame_bytes))
    return chance(way, "duplicate") * sound * sound if way.up else 0.0


def inflation(way: Direction) -> float:
    """How much wider than independent losses the count of losses spreads (as a ratio of variances), at least 1.

    In the model of Gilbert and Elliott two losses n frames apart have the covariance q (1 - q) (bad - good)^2 (1 - enter -
    leave)^n, q being the share of frames in the bad state; the sum over all n is geometric.
    """
    for effect in way.effects:
        if isinstance(effect, GilbertElliott) and 0.0 < effect.loss < 1.0 and effect.enter > 0.0:
            bad_share = effect.enter / (effect.enter + effect.leave)
            kept = 1.0 - effect.enter - effect.leave
            between = bad_share * (1.0 - bad_share) * (effect.bad - effect.good) ** 2
            if effect.enter + effect.leave > 0.0:
                return max(1.0, 1.0 + 2.0 * between * kept / (1.0 - kept) / (effect.loss * (1.0 - effect.loss)))
    return 1.0
