"""HTTP/1.1 exchanges and TLS handshakes on followed connections: one row each, every time tied to a frame. It reads no body.

Times are ms since the request's packet, or since the ClientHello; what a capture does not hold is NaN, 0 or empty.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from results.captures import tls
from results.captures.connection_table import Analysis, Table
from results.captures.messages import APPLICATION, CHANGE_CIPHER
from results.captures.typed import columns

COLUMNS = {
    "first_frame": "of the connection", "method": "", "target": "", "host": "", "status": "0 when no response was seen",
    "cache": "Cache-Status, else X-Cache", "request_frame": "", "response_frame": "", "last_frame": "of new response bytes",
    "start_ns": "of the request's packet", "lookup_ms": "query to answer of the server's name, for the first request of a "
    "connection, where it was looked up for that", "lookup_frame": "of the query",
    "connect_ms": "SYN to SYN-ACK, for the first request of a connection",
    "wait_ms": "request to the response's first byte", "transfer_ms": "first byte to last",
    "response_bytes": "header and body", "retransmissions": "of the response's segments",
    "stalled_ms": "time until holes in the response were filled",
}  # fmt: skip
TLS_COLUMNS = {
    "first_frame": "of the connection", "server_name": "", "version": "that the server chose", "resumed": "",
    "client_hello_frame": "", "server_hello_frame": "", "done_frame": "first data or Finished of the client",
    "start_ns": "of the ClientHello", "server_hello_ms": "", "handshake_ms": "ClientHello to done_frame",
}  # fmt: skip


class Exchanges:
    """Collects both tables, batch by batch; `messages` are beginnings by frame."""

    def __init__(self, messages: dict[int, bytes]) -> None:
        self._messages = messages
        self.http: list[dict[str, Any]] = []
        self.tls: list[dict[str, Any]] = []

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
            answers = ((at, words) for at, server, words in said if server and place < at < until and words[:5] == b"HTTP/")
            answer = next(answers, None)
            self.http.append(_exchange(analysis, number, place, text, until, answer, first=index == 0))

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
        self.tls.append(row)


def _exchange(
    analysis: Analysis, number: int, place: int, text: bytes, until: int, answer: tuple[int, bytes] | None, first: bool
) -> dict[str, Any]:
    found = analysis.segments
    words = text.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    row: dict[str, Any] = {
        "first_frame": int(analysis.table["first_frame"][number]),
        "method": words[0], "target": words[1] if len(words) > 1 else "", "host": _header(text, b"host"),
        "status": 0, "cache": "", "request_frame": _frame(analysis, place),
        "response_frame": 0, "last_frame": 0, "start_ns": int(found.time_ns[place]),
        "lookup_ms": math.nan, "lookup_frame": 0,
        "connect_ms": float(analysis.table["handshake_ms"][number]) if first else math.nan, "wait_ms": math.nan,
        "transfer_ms": math.nan, "response_bytes": 0, "retransmissions": 0, "stalled_ms": 0.0,
    }  # fmt: skip
    if answer is None:
        return row
    at, head = answer
    status = head[9:12]
    row["status"] = int(status) if status.isdigit() else 0
    row["cache"] = _header(head, b"cache-status") or _header(head, b"x-cache")
    span = np.arange(at, until)
    mine = span[((found.flow[span] & 1) == 1) & (found.payload[span] > 0) & ~found.keep_alive[span]]
    again = np.isin(mine, analysis.losses.again)
    fills = analysis.losses.filled[mine] > 0
    new = mine[~again | fills]
    last = int(new[-1])
    row |= {
        "response_frame": _frame(analysis, at), "last_frame": _frame(analysis, last),
        "wait_ms": _ms(analysis, place, at), "transfer_ms": _ms(analysis, at, last),
        "response_bytes": int(found.payload[new].sum()), "retransmissions": int(again.sum()),
        "stalled_ms": _stalled(found.time_ns[mine], found.gap[mine], fills | again),
    }  # fmt: skip
    return row


def _stalled(times: Any, gap: Any, repaired: Any) -> float:
    """From each first sign of a hole to the next repair, holes that overlap counted once."""
    total, since = 0, None
    for time_ns, opens, repairs in zip(times.tolist(), gap.tolist(), repaired.tolist(), strict=True):
        if opens and since is None:
            since = time_ns
        elif repairs and since is not None:
            total, since = total + time_ns - since, None
    return total / 1e6


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
