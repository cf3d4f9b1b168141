"""Requests and TLS handshakes on followed connections, one row each: every phase of a transfer tied to its frames. It reads no
body and decrypts nothing.

Of cleartext HTTP/1.1 a row is a request that begins a packet; of an encrypted connection it is what the client says until the
server speaks, and the other way round (see `exchanges`): its first such row has the client's Finished in its request. Times are
ms; what a capture does not hold is NaN, 0 or empty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from results.captures import tls
from results.captures.connection_table import Analysis, Table
from results.captures.exchanges import exchanges
from results.captures.messages import APPLICATION, CHANGE_CIPHER
from results.captures.rounds import beyond_ms, rounds
from results.captures.typed import columns

COLUMNS = {
    "first_frame": "of the connection", "encrypted": "whether it is an exchange on a TLS connection",
    "method": "", "target": "", "host": "of the request, else the name that the client told TLS",
    "status": "0 when no response was seen", "cache": "Cache-Status, else X-Cache", "start_ns": "of the request's first packet",
    "lookup_frame": "query of the server's name, for the first request of a connection, where it was looked up for that",
    "lookup_ms": "query to answer", "connect_frame": "SYN, for the first request of a connection",
    "connect_ms": "SYN to SYN-ACK", "tls_frame": "ClientHello, for the first request of a connection",
    "tls_ms": "ClientHello to the client's Finished or first data", "request_frame": "its first packet",
    "sent_frame": "its last before the response", "sent_ms": "first to last packet of the request",
    "wait_ms": "the request's last packet to the response's first", "response_frame": "", "last_frame": "of new response bytes",
    "transfer_ms": "first packet of the response to last", "rounds": "round trips in which the sender sent it, see `rounds`",
    "response_bytes": "header and body", "retransmissions": "of the response's segments",
    "stalled_ms": "time until holes in the response were filled",
    "logged": "files and lines of daemons' logs that tell of it, with their results; where logs were given",
}  # fmt: skip
TLS_COLUMNS = {
    "first_frame": "of the connection", "server_name": "", "version": "that the server chose", "resumed": "",
    "client_hello_frame": "", "server_hello_frame": "", "done_frame": "first data or Finished of the client",
    "start_ns": "of the ClientHello", "server_hello_ms": "", "handshake_ms": "ClientHello to done_frame",
}  # fmt: skip
_MOST_ROUNDS = 1000
MOST_ENCRYPTED = 50_000
"""Encrypted exchanges beyond so many are left out: memory is to stay flat."""


@dataclass(frozen=True)
class _Seen:
    """Where a request and its response are in `Segments`: places of the request's first packet, of the response's first (-1
    when there is none), and behind the last that may be its."""

    request: int
    response: int
    until: int


class Exchanges:
    """Collects both tables, batch by batch; `messages` are beginnings by frame."""

    def __init__(self, messages: dict[int, bytes]) -> None:
        self._messages = messages
        self.http: list[dict[str, Any]] = []
        self.tls: list[dict[str, Any]] = []
        self._encrypted_rows = 0

    def notes(self) -> list[str]:
        """What a person should know of it, in words."""
        left_out = self._encrypted_rows - MOST_ENCRYPTED
        return [f"{left_out} encrypted exchanges beyond {MOST_ENCRYPTED} were left out"] if left_out > 0 else []

    def visit(self, analysis: Analysis) -> None:
        """For `survey`: one batch of whole connections."""
        found = analysis.segments
        frame = found.packets.frame[found.row]
        known = np.flatnonzero(np.isin(frame, np.fromiter(self._messages, np.int64, len(self._messages))))
        if not len(known):
            return
        ends = np.append(found.streams.begins[1:], len(found.row))
        for number in np.unique(found.number[known]).tolist():
            begin, end = int(found.streams.begins[number]), int(ends[number])
            places = known[np.searchsorted(known, begin) : np.searchsorted(known, end)]
            said = [(int(place), bool(found.flow[place] & 1), self._messages[int(frame[place])]) for place in places
                    if not found.late[place] or found.seq[place] >= found.highest[place]]  # fmt: skip
            self._http(analysis, number, end, said)
            self._tls(analysis, number, said)

    def _http(self, analysis: Analysis, number: int, end: int, said: list[tuple[int, bool, bytes]]) -> None:
        asked = [(place, text) for place, server, text in said if not server and text[0] > 0x1F and text[:4] != b"HTTP"]
        for index, (place, text) in enumerate(asked):
            until = asked[index + 1][0] if index + 1 < len(asked) else end
            answers = ((at, words) for at, server, words in said if server and place < at < until and _final(words))
            at, head = next(answers, (-1, b""))
            row = _timed(analysis, number, _Seen(place, at, until), first=index == 0)
            words = text.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            status = head[9:12]
            self.http.append(row | {
                "method": words[0], "target": words[1] if len(words) > 1 else "", "host": _header(text, b"host"),
                "status": int(status) if status.isdigit() else 0,
                "cache": _header(head, b"cache-status") or _header(head, b"x-cache"),
            })  # fmt: skip

    def _tls(self, analysis: Analysis, number: int, said: list[tuple[int, bool, bytes]]) -> None:
        hellos = [(place, read) for place, _, text in said if (read := tls.hello(text))]
        asked = next(((place, read) for place, read in hellos if read.client), None)
        if asked is None:
            return
        place, client = asked
        answered = next(((at, read) for at, read in hellos if not read.client and at > place), None)
        found = analysis.segments
        row: dict[str, Any] = {
            "first_frame": int(analysis.table["first_frame"][number]), "server_name": client.server_name, "version": "",
            "resumed": 0, "client_hello_frame": _frame(analysis, place), "server_hello_frame": 0, "done_frame": 0,
            "start_ns": int(found.time_ns[place]), "server_hello_ms": math.nan, "handshake_ms": math.nan,
        }  # fmt: skip
        if answered:
            at, server = answered
            row["server_hello_frame"], row["server_hello_ms"] = _frame(analysis, at), _ms(analysis, place, at)
            row["version"] = tls.VERSIONS.get(server.version, f"0x{server.version:04x}")
            # TLS 1.3 says so by the key that was taken; older versions by giving back the client's session (RFC 5246 7.4.1.3).
            new = server.version >= 0x0304
            row["resumed"] = int(server.psk if new else bool(client.session) and client.session == server.session)
            # What the client encrypts first is its Finished, except in a full handshake of older versions.
            ends = (APPLICATION, CHANGE_CIPHER) if new or row["resumed"] else (APPLICATION,)
            done = next((where for where, back, text in said if not back and where > at and text[0] in ends), None)
            if done is not None:
                row["done_frame"], row["handshake_ms"] = _frame(analysis, done), _ms(analysis, place, done)
                self._encrypted(analysis, number, row, done)
        self.tls.append(row)

    def _encrypted(self, analysis: Analysis, number: int, handshake: dict[str, Any], done: int) -> None:
        """What was said behind a handshake."""
        after = [one for one in exchanges(analysis, number) if one.request >= done]
        room = max(0, MOST_ENCRYPTED - self._encrypted_rows)
        self._encrypted_rows += len(after)
        for index, one in enumerate(after[:room]):
            row = _timed(analysis, number, _Seen(one.request, one.first, one.until), first=index == 0)
            if index == 0:
                row |= {"tls_frame": handshake["client_hello_frame"], "tls_ms": handshake["handshake_ms"]}
            self.http.append(row | {"encrypted": 1, "host": handshake["server_name"]})


def _timed(analysis: Analysis, number: int, seen: _Seen, first: bool) -> dict[str, Any]:
    """Frames and times of an exchange, as far as it was captured; its words are left empty."""
    found, table = analysis.segments, analysis.table
    row: dict[str, Any] = dict.fromkeys(COLUMNS, 0) | {name: math.nan for name in COLUMNS if name.endswith("_ms")} | {
        "first_frame": int(table["first_frame"][number]), "method": "", "target": "", "host": "", "cache": "", "logged": "",
        "start_ns": int(found.time_ns[seen.request]), "request_frame": _frame(analysis, seen.request), "stalled_ms": 0.0,
    }  # fmt: skip
    if first and not table["begun_before"][number]:
        row |= {"connect_frame": row["first_frame"], "connect_ms": float(table["handshake_ms"][number])}
    if seen.response < 0:
        return row
    asks = np.arange(seen.request, seen.response)
    sent = int(asks[((found.flow[asks] & 1) == 0) & (analysis.fresh[asks] > 0) | (asks == seen.request)][-1])
    span = np.arange(seen.response, seen.until)
    mine = span[((found.flow[span] & 1) == 1) & (found.payload[span] > 0) & ~found.keep_alive[span]]
    again, fresh = np.isin(mine, analysis.losses.again), analysis.fresh[mine]
    last = int(mine[fresh > 0][-1]) if (fresh > 0).any() else seen.response
    return row | {
        "sent_frame": _frame(analysis, sent), "sent_ms": _ms(analysis, seen.request, sent),
        "wait_ms": _ms(analysis, sent, seen.response), "response_frame": _frame(analysis, seen.response),
        "last_frame": _frame(analysis, last), "transfer_ms": _ms(analysis, seen.response, last),
        "rounds": len(rounds(found, 2 * number + 1, _MOST_ROUNDS, (seen.response, seen.until),
                             beyond_ms(table, number, 1))),
        "response_bytes": int(fresh.sum()), "retransmissions": int(again.sum()),
        "stalled_ms": _stalled(found.time_ns[mine], found.gap[mine], (analysis.losses.filled[mine] > 0) | again),
    }  # fmt: skip


def _stalled(times: Any, gap: Any, repaired: Any) -> float:
    """From each first sign of a hole to the next repair, holes that overlap counted once."""
    total, since = 0, None
    for time_ns, opens, repairs in zip(times.tolist(), gap.tolist(), repaired.tolist(), strict=True):
        if opens and since is None:
            since = time_ns
        elif repairs and since is not None:
            total, since = total + time_ns - since, None
    return total / 1e6


def _final(text: bytes) -> bool:
    """Whether a response begins so that is the answer, and no interim one before it (RFC 9110, section 15.2)."""
    return text[:5] == b"HTTP/" and (text[9:10] != b"1" or text[9:12] == b"101")


def _header(text: bytes, name: bytes) -> str:
    for line in text.split(b"\r\n\r\n", 1)[0].split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().decode("latin-1")
    return ""


def _frame(analysis: Analysis, place: int) -> int:
    return int(analysis.segments.packets.frame[analysis.segments.row[place]])


def _ms(analysis: Analysis, begin: int, end: int) -> float:
    return float(analysis.segments.time_ns[end] - analysis.segments.time_ns[begin]) / 1e6


def table(rows: list[dict[str, Any]], names: dict[str, str], first_frames: Any) -> Table:
    """Rows as columns, `first_frame` replaced by the number of the connection, in order of time."""
    rows = sorted(rows, key=lambda row: int(row["start_ns"]))
    stream = np.searchsorted(first_frames, np.array([row["first_frame"] for row in rows], np.int64))
    return {"stream": stream, **columns(rows, [name for name in names if name != "first_frame"])}
