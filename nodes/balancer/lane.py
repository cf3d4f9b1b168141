"""A kept connection to a node that is driven by the rounds, and the plain exchange that is on it.

It chooses nothing and repeats nothing. Before the answer has begun it hands everything that is not plain to a task
(`proxying.py`); after that it passes content on as it comes, and reads no further while the client has not taken it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.balancer.heads import Answered, Asked, choice
from nodes.balancer.proxying import Begun
from nodes.http.reply import Reply

if TYPE_CHECKING:
    from nodes.balancer.balance import Member, Placed
    from nodes.balancer.express import Express
    from nodes.http.connection import Connection
    from nodes.http.message import Request
    from nodes.http.origin_address import Origin
    from nodes.http.rounds import Rounds
    from nodes.http.upstream import Upstream


class Lane:
    """A member of the rounds, and the holder of a client's connection while an exchange is under way."""

    quick = False
    __slots__ = ("_answer", "_asked", "_began_s", "_came", "_client", "_descriptor", "_express", "_first_s", "_head", "_left",
                 "_moved_s", "_node", "_placed", "_receive", "_request", "_reset", "_rounds", "_send", "_tally", "_unsent",
                 "_upstream", "_upstream_ms")  # fmt: skip

    def __init__(self, express: Express, upstream: Upstream, node: Origin, rounds: Rounds) -> None:
        self._express, self._upstream, self._node, self._rounds = express, upstream, node, rounds
        self._client: Connection | None = None
        self._descriptor = -1

    def open(self) -> bool:
        """Take the socket over; False when it cannot be had."""
        sock = self._upstream.lend(self)
        if sock is None:
            return False
        self._receive, self._send, self._descriptor = sock.recv_into, sock.send, sock.fileno()
        self._rounds.join(self._descriptor, self)
        return True

    def leave(self) -> None:
        """See Borrower."""
        self._rounds.leave(self._descriptor)

    def send(self, request: Request, client: Connection, placed: Placed, asked: Asked, now_s: float) -> None:
        """Begin an exchange."""
        self._request, self._client, self._placed, self._asked = request, client, placed, asked
        self._began_s = self._moved_s = now_s
        self._answer: Answered | None = None
        self._left, self._head, self._came, self._unsent, self._reset = 0, b"", b"", b"", False
        client.holder = self
        self._upstream.used += 1
        self._express.balance.began(placed.member)
        try:
            sent = self._send(asked.head)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._reset = True
            self._hand_over()
            return
        if sent != len(asked.head):
            self._unsent = asked.head[sent:]
            self._hand_over()

    # -- for Rounds -----------------------------------------------------------------------------------------------
    def event(self, mask: int) -> None:
        """The node has sent something."""
        client = self._client
        if client is None:
            self._upstream.take_back()  # nothing was asked: an end, or what makes the connection useless
            return
        received = self._express.received
        try:
            size = self._receive(received)
        except BlockingIOError:
            return
        except OSError:
            size, self._reset = 0, True
        self._moved_s = self._express.clock()
        try:
            if self._answer is None:
                self._begin(client, size)
            elif size:
                self._pass(client, received[:size])
            else:
                self._cut(f"the origin {'reset' if self._reset else 'closed'} the connection before the response was whole")
        except Exception:
            client.broken()
            raise

    # -- for Express ----------------------------------------------------------------------------------------------
    def due_s(self, now_s: float) -> float:
        """When the node will have taken too long."""
        timeouts = self._upstream.timeouts
        if self._client is not None and self._client.wire.waiting:
            return now_s + timeouts.between_s  # it is the client who is waited for
        return self._moved_s + (timeouts.first_byte_s if self._answer is None else timeouts.between_s)

    def late(self) -> None:
        """It has."""
        if self._answer is None:
            self._hand_over()
        else:
            self._cut(f"the origin did not send more of its response within {self._upstream.timeouts.between_s:g} s")

    def gone(self, member: Member) -> None:
        """A node is down. Who waits for its answer is for a task now, which asks another."""
        if self._answer is None and self._placed.member is member:
            self._hand_over(gone=True)

    # -- for the client's connection ------------------------------------------------------------------------------
    def drained(self) -> None:
        """See Holder."""
        if self._answer is None or self._left:
            self._moved_s = self._express.clock()
            self._listen()
        else:
            self._finish()

    def abandoned(self) -> None:
        """See Holder."""
        self._record("the client left", {})
        self._end(whole=False)

    # -- for Proxying ---------------------------------------------------------------------------------------------
    def take_over(self) -> Upstream:
        """The connection, for a task that goes on with the exchange and ends it."""
        client, request, upstream = self._client, self._request, self._upstream
        assert client is not None
        client.holder = self._client = None
        upstream.take_over(request.method, self._unsent, self._came, self._began_s, reset=self._reset)
        return upstream

    # -- inside ---------------------------------------------------------------------------------------------------
    def _begin(self, client: Connection, size: int) -> None:
        """The first bytes of an answer."""
        buffer = self._express.buffer
        end = buffer.find(b"\r\n\r\n", 0, size)
        head = bytes(self._express.received[: end + 2]) if end > 0 else b""
        found = self._express.answer(head, self._request, self._placed, keep=not client.draining) if head else None
        if found is None or size - end - 4 > found[0].body_bytes:
            self._came = bytes(buffer[:size])
            self._hand_over()
            return
        answer, self._tally = found
        self._answer = answer
        took_s, balance = self._moved_s - self._began_s, self._express.balance
        balance.answered(self._placed.member, self._moved_s, took_s, ok=answer.status < 500, utilisation=answer.utilisation)
        self._upstream_ms = upstream_ms = round(took_s * 1e3, 3)
        self._head, self._left = answer.head(upstream_ms), answer.body_bytes
        if self._left and size == end + 4:
            return  # the head waits for the first content: both leave in one segment
        self._pass(client, self._express.received[end + 4 : size])

    def _pass(self, client: Connection, data: memoryview) -> None:
        """Content, or an end without any."""
        excess = len(data) - self._left
        if excess > 0:
            data, self._reset = data[: self._left], True  # not to be used again
        self._left -= len(data)
        head, self._head = self._head, b""
        if head:
            self._first_s = self._moved_s
        client.pass_on(head, data)
        if self._client is not None and client.wire.waiting:
            self._rounds.leave(self._descriptor)

    def _listen(self) -> None:
        if self._descriptor not in self._rounds.members:
            self._rounds.join(self._descriptor, self)

    def _hand_over(self, *, gone: bool = False) -> None:
        """A task goes on."""
        assert self._client is not None
        self._rounds.leave(self._descriptor)
        self._express.under_way.discard(self)
        self._request.begun = Begun(self._placed, self, self._began_s, gone)
        self._client.hand_over(self._request)

    def _finish(self) -> None:
        client, answer = self._client, self._answer
        assert client is not None
        assert answer is not None
        beginning = f'{self._asked.log},{answer.log},"upstream_ms":{self._upstream_ms},'
        client.server.records.passed(client, beginning, self._tally, answer.body_bytes, self._began_s, self._first_s)
        self._end(whole=answer.node_keeps and not self._reset)
        client.let_go(keep=answer.keep)

    def _cut(self, error: str) -> None:
        """The node broke off in the middle of its answer, and so does this."""
        client = self._client
        assert client is not None
        self._express.metrics.count("longhaul_node_cut_total", member=self._placed.node.name)
        self._record(f"cut, because {error}", {"upstream_error": error})
        self._end(whole=False)
        client.holder = None
        client.abort(reset=False)

    def _record(self, error: str, notes: dict[str, str]) -> None:
        """Of an answer that did not become whole."""
        client, answer, request = self._client, self._answer, self._request
        assert client is not None
        reply = Reply(client, request)
        reply.outcome.result = "PROXY"
        reply.outcome.notes.update(choice(self._placed, 1) | notes)
        if answer is not None:
            reply.status, reply.outcome.upstream_ms = answer.status, self._upstream_ms
            reply.body_bytes = 0 if self._head else answer.body_bytes - self._left
            reply.first_byte_at = None if self._head else self._first_s
        request.request_id = client.server.records.new_id()
        client.server.records.answered(request, reply, self._began_s, error)

    def _end(self, *, whole: bool) -> None:
        """The exchange is over; the connection is kept if it was `whole`."""
        express = self._express
        self._client = None
        express.under_way.discard(self)
        express.balance.ended(self._placed.member)
        if whole:
            self._listen()
        else:
            self._upstream.close()
        express.pool.give(self._node, self._upstream)
