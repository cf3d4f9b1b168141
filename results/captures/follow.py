"""All that is told of TCP segment by segment, by the compiled core where it is built. It makes no table and no figure.

`reference` says the same with numpy, a column at a time: it serves without a core, and a test holds the core to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from results.captures import compiled, compiled_follow, losses, rtt, tcp
from results.captures.columns import Packets
from results.captures.losses import Losses
from results.captures.memory import Memories
from results.captures.rtt import Samples
from results.captures.streams import Ints, Streams, streams
from results.captures.sums import Sums, sums
from results.captures.tcp import Segments


@dataclass
class Followed:
    """`fresh` are the payload bytes of each segment that none before it had brought; `samples` are by sequence, `stamps` by
    time stamps; `handshake_ns` is first SYN to SYN-ACK and `initial_ns` SYN to the client's ACK, -1 where unknown."""

    segments: Segments
    losses: Losses
    fresh: Ints
    samples: Samples
    stamps: Samples
    handshake_ns: Ints
    initial_ns: Ints
    sums: Sums


def follow(packets: Packets, apart: bool = False, memories: Memories | None = None) -> Followed:
    """Follow all connections of `packets`, which must hold each of them whole; `apart` at each interface for itself. What is
    told of segments may lie in `memories`, what is told of connections does not."""
    memories = memories or Memories()
    grouped = streams(packets, apart, memories["streams"])
    if (core := compiled.core()) is not None:
        return Followed(*compiled_follow.follow(core, packets, grouped, memories["follow"]))
    return reference(packets, grouped)


def reference(packets: Packets, grouped: Streams) -> Followed:
    """The same in numpy."""
    found = tcp.segments(packets, grouped)
    handshake, initial = rtt.handshakes(found)
    lost = losses.losses(found, np.where(initial >= 0, initial, handshake))
    fresh = _fresh(found, lost)
    samples, stamps = rtt.by_sequence(found), rtt.by_stamps(found)
    return Followed(found, lost, fresh, samples, stamps, handshake, initial, sums(found, lost, fresh))


def _fresh(found: Segments, lost: Losses) -> Ints:
    """A late segment brings what it fills of holes, and what it has beyond the highest byte."""
    beyond = np.minimum(np.maximum(found.end - found.highest, 0), found.payload)
    return np.where(found.keep_alive, 0, np.where(found.late, lost.filled + beyond, found.payload))
