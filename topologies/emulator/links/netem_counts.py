"""What became of the frames of one direction, from what the kernel's qdiscs and interfaces counted. It asks nobody.

The numbers are read one after another, so while frames move they are off by the few that moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .backend import DirectionCounters
from .spec import ETHERNET_HEADER, Direction
from .tc import Statistics
from .tc_plan import Places

Seen = Mapping[tuple[str, str], Statistics]
"""What qdiscs counted, by interface and kind."""


@dataclass(frozen=True)
class Past:
    """What a direction ever had, because counters count from its beginning; `passes` segments whole."""

    loss: bool = False
    duplicate: bool = False
    corrupt: bool = False
    passes: bool = False

    def with_(self, way: Direction) -> Past:
        """And what it has now."""
        return Past(self.loss or way.loss > 0, self.duplicate or way.has("duplicate"), self.corrupt or way.has("corrupt"),
                    self.passes)  # fmt: skip


def counted(at: Places, before: Seen, seen: Seen, refused: Mapping[str, int], past: Past,
            overrun: int | None) -> DirectionCounters:  # fmt: skip
    """`before` and `seen` were read one after the other. `refused`: frames that each interface gave to its peer in vain.

    netem counts one drop for each copy that it loses, and none for a frame that it loses and doubles. So with loss and
    duplicates neither number can be known. Its own limit is never reached, so without loss its drops are failures.
    Segments passed whole count as the packets they stand for, except that one which is dropped counts once.
    """
    qdiscs = (at.gate, "ingress"), (at.queue, "tbf"), (at.line, "netem"), (at.wire, "netem")
    gate, queue, line, wire = (seen[one] for one in qdiscs)
    unknown = past.loss and past.duplicate
    lost = wire.drops if past.loss else 0
    stranded = sum(refused[name] for name in (at.queue, at.line, at.wire))
    failed = stranded + line.drops + wire.drops - lost
    doubled = max(0, wire.packets + wire.qlen + refused[at.line] - line.packets) if past.duplicate else 0
    delivered = wire.packets - refused[at.wire]
    held = queue.qlen + line.qlen + wire.qlen
    still = all(before[one] == seen[one] for one in qdiscs)
    gone = gate.packets + doubled - delivered - queue.drops - gate.drops - lost - failed - held
    return DirectionCounters(
        packets=gate.packets, bytes=gate.bytes + ETHERNET_HEADER * gate.packets,  # an ingress qdisc sees no Ethernet header
        delivered=delivered, dropped_queue=queue.drops, dropped_down=gate.drops, dropped_codel=0,
        lost=None if unknown else lost, duplicated=None if unknown else doubled, failed=failed,
        corrupted=None if past.corrupt else 0, overtook=wire.requeues, held=held, overrun=overrun, stranded=stranded,
        unexplained=gone if still and not unknown and not past.passes else None,
        backlog_bytes=queue.backlog, backlog_packets=queue.qlen,
    )  # fmt: skip
