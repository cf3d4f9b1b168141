"""The relay's own log of every packet as a pcapng file. It takes no log: a backend does; and it judges nothing.

Each direction of a link is up to three interfaces: `a>b queued`, `a>b released`, and `a>b dropped`, whose packets say in
their comment why. So `longhaul analyse --match` finds the delay of each packet in it as in captures of two points.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from results.captures.pcapng import Described, Writer, whole
from topologies.emulator.links.packet_log import QUEUED, RELEASED, WHY, Log
from topologies.emulator.parts import LinkInfo

_WHERE = {QUEUED: "queued", RELEASED: "released"}


def write(path: Path, log: Log, links: Sequence[LinkInfo], comment: str) -> str:
    """Write it; empty, or why it is not the whole truth. Raises OSError."""
    ends = _directions(links)
    # The log is by the steady clock, captures are by the time of day; a trial in which these part does not count.
    offset_ns = time.time_ns() - time.monotonic_ns()
    known: dict[tuple[str, str, str], int] = {}
    with whole(path) as sink:
        writer = Writer(sink, comment)
        for one in log.noted():
            key = one.link, one.way, _WHERE.get(one.event, "dropped")
            if key not in known:
                known[key] = writer.interface(Described(f"{ends[one.link, one.way]} {key[2]}", "",
                                                        f"the relay's log of link {one.link}, {comment}"))  # fmt: skip
            writer.packet(known[key], one.at_ns + offset_ns, one.content, one.length, WHY.get(one.event, ""))
    return f"the relay's log lacks {log.left_out} records: it was full" if log.left_out else ""


def _directions(links: Sequence[LinkInfo]) -> Mapping[tuple[str, str], str]:
    return {(link.name, way): f"{x}>{y}" for link in links
            for way, x, y in (("a_to_b", link.a, link.b), ("b_to_a", link.b, link.a))}  # fmt: skip
