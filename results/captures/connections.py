"""TCP segments grouped into connections and request-response exchanges. It follows bytes, not congestion control.

A retransmission here is a payload segment all of whose bytes were seen before *in this capture*. At the sender's side
that counts every retransmitted segment; at the receiver's side only those that arrived twice (duplicates), because a
lost original was never seen there. The repair of such a loss shows as `out_of_order` instead: new bytes that arrived
after later ones (RFC 4737 calls the packets reordered; a capture cannot tell reordering from repair).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from results.captures.packets import ACK, FIN, RST, SYN, Segment

Endpoint = tuple[bytes, int]
_WRAP = 1 << 32


class Stream:
    """The bytes of one direction seen so far, as sequence numbers unwrapped past 2^32 (RFC 9293 section 3.4)."""

    def __init__(self) -> None:
        self._spans: list[list[int]] = []
        self._highest: int | None = None
        self.retransmissions = 0
        self.out_of_order = 0
        self.payload_bytes = 0

    def begin(self, seq: int) -> None:
        """The first payload byte will have this number: a segment that arrives before it then leaves a hole."""
        if self._highest is None:
            start = seq % _WRAP + _WRAP
            self._highest, self._spans = start, [[start, start]]

    @property
    def front(self) -> int | None:
        """End of what is there without a hole; None while nothing is known of the stream."""
        return self._spans[0][1] if self._spans else None

    def take(self, seq: int, length: int) -> int:
        """Number of new bytes in a segment of `length` > 0 payload bytes; counts it."""
        start = self._unwrap(seq)
        late = self._highest is not None and start < self._highest
        new = self._insert(start, start + length)
        self._highest = max(start + length, self._highest or 0)
        if new == 0:
            self.retransmissions += 1
        elif late:
            self.out_of_order += 1
        self.payload_bytes += new
        return new

    @property
    def missing_bytes(self) -> int:
        """Bytes between the first and the last seen that the capture does not hold."""
        if not self._spans:
            return 0
        return self._spans[-1][1] - self._spans[0][0] - sum(end - start for start, end in self._spans)

    def _unwrap(self, seq: int) -> int:
        if self._highest is None:
            # One wrap of head room, so that a first segment that arrives after its successor stays positive.
            self._highest = seq + _WRAP
            return self._highest
        return self._highest + (seq - self._highest + _WRAP // 2) % _WRAP - _WRAP // 2

    def _insert(self, start: int, end: int) -> int:
        spans = self._spans
        if spans and spans[-1][0] <= start:  # nearly always: at the edge, or within the last span
            new = max(0, end - max(start, spans[-1][1]))
            if start <= spans[-1][1]:
                spans[-1][1] = max(end, spans[-1][1])
            else:
                spans.append([start, end])
            return new
        first = max(0, bisect_left(spans, [start, start]) - 1)
        if spans and spans[first][1] < start:
            first += 1
        last, covered = first, 0
        low, high = start, end
        while last < len(spans) and spans[last][0] <= end:
            covered += max(0, min(end, spans[last][1]) - max(start, spans[last][0]))
            low, high = min(low, spans[last][0]), max(high, spans[last][1])
            last += 1
        spans[first:last] = [[low, high]]
        return end - start - covered


@dataclass
class Exchange:
    """One request and its response on a connection. Times in ns since 1970, None for what was not seen.

    A request begins with the first new client byte after the connection opened or after response bytes were seen; so
    pipelined requests count as one. `first_byte_ns` is when the response's own first byte was there (`awaited` is its
    place in the stream): a later segment that overtakes a lost one does not count for it. Counts cover everything from
    the request on until the next one.
    """

    request_ns: int
    request_bytes: int = 0
    awaited: int | None = None
    first_byte_ns: int | None = None
    last_byte_ns: int | None = None
    response_bytes: int = 0
    packets: int = 0
    retransmissions_to_client: int = 0
    retransmissions_to_server: int = 0
    out_of_order: int = 0


@dataclass
class Connection:
    """One TCP connection (client and server endpoint). `packets` counts both directions; times in ns since 1970."""

    client: Endpoint
    server: Endpoint
    syn_ns: int | None = None
    syn_ack_ns: int | None = None
    initial_seq: int | None = None
    packets: int = 0
    fin: bool = False
    rst: bool = False
    to_server: Stream = field(default_factory=Stream)
    to_client: Stream = field(default_factory=Stream)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def handshake_rtt_ns(self) -> int | None:
        """First SYN to SYN-ACK: at the client's side the round-trip time, and more when a SYN was lost."""
        return None if self.syn_ns is None or self.syn_ack_ns is None else self.syn_ack_ns - self.syn_ns

    def take(self, segment: Segment) -> None:
        """Count one more segment of this connection."""
        self.packets += 1
        from_client = segment.source == self.client
        if segment.flags & SYN:
            if from_client and self.syn_ns is None:
                self.syn_ns, self.initial_seq = segment.time_ns, segment.seq
            elif not from_client and self.syn_ack_ns is None:
                self.syn_ack_ns = segment.time_ns
                self.to_client.begin(segment.seq + 1)
        self.fin = self.fin or bool(segment.flags & FIN)
        self.rst = self.rst or bool(segment.flags & RST)
        if segment.payload_bytes > 0:
            (self._request if from_client else self._response)(segment)
        if self.exchanges:
            self.exchanges[-1].packets += 1

    def _request(self, segment: Segment) -> None:
        new = self.to_server.take(segment.seq, segment.payload_bytes)
        if new and (not self.exchanges or self.exchanges[-1].first_byte_ns is not None):
            self.exchanges.append(Exchange(segment.time_ns, awaited=self.to_client.front))
        if self.exchanges:
            self.exchanges[-1].request_bytes += new
            self.exchanges[-1].retransmissions_to_server += not new

    def _response(self, segment: Segment) -> None:
        late = self.to_client.out_of_order
        new = self.to_client.take(segment.seq, segment.payload_bytes)
        if not self.exchanges:  # the capture began within a response
            return
        exchange = self.exchanges[-1]
        exchange.out_of_order += self.to_client.out_of_order - late
        if not new:
            exchange.retransmissions_to_client += 1
            return
        exchange.response_bytes += new
        front = self.to_client.front
        if exchange.first_byte_ns is None and (exchange.awaited is None or (front or 0) > exchange.awaited):
            exchange.first_byte_ns = segment.time_ns
        exchange.last_byte_ns = segment.time_ns


def connections(stream: Iterable[Segment]) -> list[Connection]:
    """Every TCP connection of a capture, in order of appearance.

    The client is who sent the SYN; where the capture began later, who uses the higher port. A port used again by a new
    SYN with another sequence number is a new connection.
    """
    found: list[Connection] = []
    open_now: dict[tuple[Endpoint, Endpoint], Connection] = {}
    for segment in stream:
        source, destination = segment.source, segment.destination
        key = (source, destination) if source <= destination else (destination, source)
        connection = open_now.get(key)
        opens = segment.flags & (SYN | ACK) == SYN
        if connection is None or (opens and _is_another(connection, segment)):
            to_server = bool(opens) or (not segment.flags & SYN and source[1] > destination[1])
            ends = (source, destination) if to_server else (destination, source)
            connection = open_now[key] = Connection(*ends)
            found.append(connection)
        connection.take(segment)
    return found


def _is_another(connection: Connection, syn: Segment) -> bool:
    return connection.initial_seq != syn.seq and (connection.initial_seq is not None or connection.fin or connection.rst
                                                  or bool(connection.exchanges))  # fmt: skip
