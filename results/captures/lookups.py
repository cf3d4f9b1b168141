"""Name look-ups seen on the wire: each query over UDP with its answer, and which connection it was for. It resolves nothing.

Messages of RFC 1035, section 4, on port 53, read by dnspython; DNS over TCP, TLS or HTTPS is not read. A query that is repeated
under the same number (RFC 5452, section 9.1) counts from its first packet; what the snap length cut is counted and said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from results.captures.columns import UDP, address, endpoint
from results.captures.connection_table import Table
from results.captures.reader import Chunk
from results.captures.typed import columns

COLUMNS = {
    "client": "who asked", "server": "who was asked", "name": "", "type": "A, AAAA, ...", "answer": "NOERROR, NXDOMAIN, ...; "
    "empty when none came", "addresses": "of the answer, with spaces between", "query_frame": "the first", "answer_frame": "",
    "queries": "how often it was sent", "start_ns": "of query_frame", "took_ms": "",
}  # fmt: skip
PORT = 53
MOST = 50_000
"""Look-ups beyond so many are not followed: memory is to stay flat."""
BEFORE_NS = 5_000_000_000
"""A connection begins at most so long after the answer that it was for: who waits longer had the address already."""

_End = tuple[int, int, int]


@dataclass
class _Lookup:
    client: _End
    server: _End
    name: str
    type: str
    frame: int
    start_ns: int
    queries: int = 1
    answer: str = ""
    addresses: list[str] = field(default_factory=list)
    answer_frame: int = 0
    answer_ns: int = 0


@dataclass
class Lookups:
    """Collects look-ups, chunk by chunk. `unread` messages were cut or malformed."""

    found: list[_Lookup] = field(default_factory=list)
    left_out: int = 0
    unread: int = 0
    _last: dict[tuple[Any, ...], _Lookup] = field(default_factory=dict)

    def visit(self, chunk: Chunk, mask: Any) -> None:
        """For `survey`: read what a chunk holds."""
        packets = chunk.packets
        asked = (packets.protocol == UDP) & (packets.payload > 0) & (
            (packets.source_port == PORT) | (packets.destination_port == PORT))  # fmt: skip
        for row in np.flatnonzero(asked if mask is None else asked & mask).tolist():
            self._message(chunk, row)

    def _message(self, chunk: Chunk, row: int) -> None:
        import dns.exception  # here: most captures hold no look-up and need not wait for it
        import dns.flags
        import dns.message
        import dns.rcode
        import dns.rdatatype

        packets = chunk.packets
        try:
            said = dns.message.from_wire(chunk.payload(row), ignore_trailing=True)
            question = said.question[0]
        except (dns.exception.DNSException, IndexError, ValueError):
            self.unread += 1
            return
        source, target = endpoint(packets, "source", row), endpoint(packets, "destination", row)
        answers = bool(said.flags & dns.flags.QR)
        client, server = (target, source) if answers else (source, target)
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        key = (client, server, said.id, name, kind)
        frame, time_ns, known = int(packets.frame[row]), int(packets.time_ns[row]), self._last.get(key)
        if not answers:
            if known is not None and not known.answer:
                known.queries += 1
            elif len(self.found) >= MOST:
                self.left_out += 1
            else:
                self._last[key] = one = _Lookup(client, server, name, kind, frame, time_ns)
                self.found.append(one)
        elif known is not None and not known.answer:
            known.answer, known.answer_frame, known.answer_ns = dns.rcode.to_text(said.rcode()), frame, time_ns
            known.addresses = [item.to_text() for part in said.answer
                               if part.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) for item in part]  # fmt: skip

    def notes(self) -> list[str]:
        """What a person should know of it, in words."""
        found = [f"{self.left_out} name look-ups beyond {MOST} were left out"] if self.left_out else []
        if self.unread:
            found.append(f"{self.unread} datagrams of port {PORT} are cut or no DNS: look-ups lack them")
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One a look-up, in order of time."""
        return [_row(one) for one in sorted(self.found, key=lambda one: one.start_ns)]


def _row(one: _Lookup) -> dict[str, Any]:
    return {"client": address(*one.client[:2]), "server": address(*one.server[:2]), "name": one.name, "type": one.type,
            "answer": one.answer, "addresses": " ".join(one.addresses), "query_frame": one.frame,
            "answer_frame": one.answer_frame, "queries": one.queries, "start_ns": one.start_ns,
            "took_ms": (one.answer_ns - one.start_ns) / 1e6 if one.answer else math.nan}  # fmt: skip


def table(rows: list[dict[str, Any]]) -> Table:
    """Rows as columns."""
    return columns(rows, COLUMNS)


def attach(requests: Table, connections: Table, lookups: Table) -> None:
    """Tell the first request of each connection which look-up was for it: the latest one of that client whose answer named the
    server, ended before the SYN and was not for an earlier connection. Fills `lookup_ms` and `lookup_frame` in place."""
    answered: dict[tuple[str, str], list[int]] = {}
    ends = [int(start + took * 1e6) if took >= 0 else 0 for start, took in zip(
        lookups["start_ns"].tolist(), lookups["took_ms"].tolist(), strict=True)]  # fmt: skip
    for place in sorted(range(len(ends)), key=lambda one: ends[one]):
        for server in lookups["addresses"][place].split():
            answered.setdefault((lookups["client"][place], server), []).append(place)
    if not answered:
        return
    used: set[int] = set()
    firsts = [place for place, ms in enumerate(requests["connect_ms"].tolist()) if math.isfinite(ms)]
    for place in sorted(firsts, key=lambda one: int(connections["start_ns"][requests["stream"][one]])):
        stream = int(requests["stream"][place])
        syn_ns = int(connections["start_ns"][stream])
        mine = answered.get((connections["client"][stream], connections["server"][stream]), [])
        fit = [one for one in mine if one not in used and syn_ns - BEFORE_NS <= ends[one] <= syn_ns]
        if fit:
            used.add(fit[-1])
            requests["lookup_ms"][place] = lookups["took_ms"][fit[-1]]
            requests["lookup_frame"][place] = lookups["query_frame"][fit[-1]]
