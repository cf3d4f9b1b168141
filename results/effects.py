"""What one direction of a link does to packets, in words for people: effects, queue, CoDel, trace. It judges nothing.

An effect that has no wording here is shown by its own name and values, so that a new one needs no edit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from results.links import Asked, Link
from units import show_bps, show_bytes, show_ms

NONE = "none"


def _bursts(text: str, loss: float) -> str:
    enter, leave, bad, good = [*text.split(), "100%", "0%"][:4]
    return (f"bursts of loss, {100 * loss:.3g} % in the mean (Gilbert-Elliott: {enter} of frames begin a burst, {leave} end "
            f"it, {bad} are lost within and {good} outside)")  # fmt: skip


_WORDS: Mapping[str, Callable[[str, float], str]] = {
    "loss": lambda text, loss: f"{text} lost",
    "gilbert-elliott": _bursts,
    "jitter": lambda text, loss: "jitter " + ", ".join(text.split(maxsplit=1)),
    "duplicate": lambda text, loss: f"{text} doubled",
    "reorder": lambda text, loss: f"{text} overtake",
    "corrupt": lambda text, loss: f"{text} have one bit inverted",
}


def effects(asked: Asked) -> str:
    """`1 % lost; jitter 5 ms, normal; down`; `none` for most directions."""
    said = [spaced(_WORDS[word](text, asked.loss) if word in _WORDS else f"{word} {text}")
            for word, text in asked.effects.items()]  # fmt: skip
    if asked.trace:
        name, period_ms, mean_bps = asked.trace
        recording = f"the recording {name.rsplit('/', 1)[-1]}, {show_bps(mean_bps)} in the mean"
        said.insert(0, f"drained by {recording}, which begins again every {show_ms(period_ms)}")
    return "; ".join(said + ([] if asked.up else ["down: nothing passes"])) or NONE


def drained(asked: Asked) -> str:
    """The rate, or the mean of the recording that stands for it."""
    if asked.trace:
        return f"{show_bps(asked.trace[2])} (recorded)"
    return "no limit" if asked.rate_bps is None else show_bps(asked.rate_bps)


def queue(asked: Asked) -> str:
    """`2.67 MiB`, `100 packets`, with CoDel's target and interval."""
    held = "not recorded" if asked.queue_bytes is None else show_bytes(asked.queue_bytes)
    if asked.queue_packets is not None:
        held = f"{asked.queue_packets:,.0f} packets"
    return held + (f", CoDel {' / '.join(map(spaced, asked.codel.split()))}" if asked.codel else "")


def impairments(link: Link) -> tuple[str, ...]:
    """The effects of both directions in short, for a label: `loss 1 %`, or `loss 1 % / none` where they differ."""
    one, other = (way.asked.effects for way in link.ways)
    words = sorted({*one, *other}, key=[*one, *other].index)
    said = [(word, *(spaced(effects.get(word, NONE)) for effects in (one, other))) for word in words]
    return tuple(f"{word} {here}" if here == there else f"{word} {here} / {there}" for word, here, there in said)


def spaced(text: str) -> str:
    """`5ms` as `5 ms`, `1%` as `1 %`."""
    return re.sub(r"(\d)(%|[num]?s\b|[kMGT]i?B\b|B\b)", r"\1 \2", text)
