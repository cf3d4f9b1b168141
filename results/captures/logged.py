"""Which lines of daemons' logs tell of a request that a capture has. It reads no file and judges nothing.

A line names the client's address and port, and when the request began on the clock that all nodes of a lab share.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from results.captures.connection_table import Table
from results.logs import Record

SLACK_NS = 5_000_000
"""So much earlier than its first packet a request may have begun by a daemon's log: whole milliseconds may stand there."""


def attach(requests: Table, connections: Table, records: Iterable[Record]) -> None:
    """Fill `logged` of each request in place: the lines of its client's port from its begin to that of the next request, or of
    the port's next connection."""
    said: dict[str, list[Record]] = {}
    for one in records:
        if "target" in one.said:
            said.setdefault(str(one.said.get("client")), []).append(one)
    if not said:
        return
    clients = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in zip(
        connections["client"], connections["client_port"].tolist(), strict=True)]  # fmt: skip
    begins: dict[str, list[int]] = {}
    for client, start_ns in zip(clients, connections["start_ns"].tolist(), strict=True):
        begins.setdefault(client, []).append(start_ns)
    asked: dict[int, list[int]] = {}
    for place, stream in enumerate(requests["stream"].tolist()):
        asked.setdefault(stream, []).append(place)
    for stream, places in asked.items():
        mine = sorted(said.get(clients[stream], ()), key=_began)
        end_ns = int(connections["start_ns"][stream]) + round(float(connections["duration_ms"][stream]) * 1e6)
        begun = sorted(begins[clients[stream]])
        later = begun[bisect_right(begun, end_ns) :]
        cuts = [bisect_left(mine, int(requests["start_ns"][place]) - SLACK_NS, key=_began) for place in places]
        cuts.append(bisect_left(mine, later[0] - SLACK_NS, key=_began) if later else len(mine))
        for place, low, high in zip(places, cuts, cuts[1:], strict=False):
            requests["logged"][place] = "; ".join(map(_told, mine[low:high]))


def _began(one: Record) -> int:
    return one.began_ns


def _told(one: Record) -> str:
    return f"{one.where} {one.said.get('result', '')}".rstrip()
