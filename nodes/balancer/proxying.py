"""One request's way to a node and its answer's way back; a safe request that gets no answer is sent once more, elsewhere.

It chooses nothing: the balance does. Content streams in both directions and is never kept.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from nodes.balancer.balance import Balance, Member, Placed
from nodes.balancer.forwarding import ROUTE, route, to_client, to_node, utilisation
from nodes.balancer.heads import choice, origin_form
from nodes.http.continuing import Gate, pass_interim
from nodes.http.message import SAFE_METHODS, Fields, HttpError, Request, request_bytes
from nodes.http.metrics import Metrics
from nodes.http.pool import Pool
from nodes.http.reply import Reply
from nodes.http.response import Response
from nodes.http.trailers import passable
from nodes.http.upstream import Upstream
from nodes.http.upstream_error import UpstreamError, may_repeat

if TYPE_CHECKING:
    from nodes.balancer.lane import Lane


class Begun(NamedTuple):
    """What is done for a request already: where it goes, and perhaps a `lane` on which it is since `began_s`; and whether the
    node is down since."""

    placed: Placed
    lane: Lane | None = None
    began_s: float = 0.0
    gone: bool = False


class Proxying:
    """See the module."""

    def __init__(self, name: str, balance: Balance, pool: Pool, metrics: Metrics) -> None:
        self._name, self._balance, self._pool, self._metrics = name, balance, pool, metrics
        self._clock = asyncio.get_running_loop().time
        self._waiting: dict[Upstream, Member] = {}
        """Connections on which a request waits for the head of its answer that may be sent elsewhere."""

    def gone(self, member: Member) -> None:
        """A node is down. Safe requests that wait for its answer on their first try wait no longer: they go elsewhere."""
        for connection, awaited in list(self._waiting.items()):
            if awaited is member:
                connection.give_up(_down())

    async def answer(self, request: Request, reply: Reply, begun: Begun, key: str) -> None:
        """Answer one request. Raises HttpError, ConnectionError."""
        tries, failed = 1, ""
        while True:
            placed = begun.placed
            note(reply, placed, tries)
            try:
                await self._attempt(request, reply, begun, tries)
                return
            except UpstreamError as error:
                if reply.started:
                    self._metrics.count("longhaul_node_cut_total", member=placed.node.name)
                    reply.outcome.notes["upstream_error"] = str(error)
                    raise ConnectionResetError(f"cut, because {error}") from error
                failed = f"{failed}; {placed.node.name}: {error}".lstrip("; ")
                reply.outcome.notes["failed"] = failed
                again = None
                if tries == 1 and _repeatable(request):
                    again = self._balance.elsewhere(key, self._clock(), placed)
                if again is None:
                    raise self._refusal(error, reply, placed, tries) from error
            self._metrics.count("longhaul_retries_total")
            begun, tries = Begun(again), tries + 1

    async def _attempt(self, request: Request, reply: Reply, begun: Begun, tries: int) -> None:
        balance, placed, began_s = self._balance, begun.placed, begun.began_s
        member, address = placed.member, placed.node.address
        if begun.lane is None:
            began_s = self._clock()
            balance.began(member)
        connection: Upstream | None = None
        try:
            try:
                connection, response = await self._head(request, reply, begun, tries)
            except UpstreamError as error:
                now_s = self._clock()
                balance.answered(member, now_s, now_s - began_s, ok=False)
                self._metrics.count("longhaul_node_errors_total", member=placed.node.name, phase=error.phase)
                raise
            now_s = self._clock()
            took_s = now_s - began_s
            balance.answered(member, now_s, took_s, ok=response.status < 500, utilisation=utilisation(response.fields))
            reply.outcome.upstream_ms = upstream_ms = round(took_s * 1e3, 3)
            fields = to_client(response.fields, response.version, self._name, placed, tries, f"{upstream_ms:g}")
            await self._content(request, reply, connection, response, fields)
        finally:
            balance.ended(member)
            if connection is not None:
                self._pool.give(address, connection)

    async def _head(self, request: Request, reply: Reply, begun: Begun, tries: int) -> tuple[Upstream, Response]:
        """The head of the node's answer, and the connection that brings the rest."""
        pool, address, on_interim = self._pool, begun.placed.node.address, partial(pass_interim, reply)
        fields = to_node(request, self._name)
        head = request_bytes(request.method, origin_form(request), fields)
        body, chunked = request.body if request.has_body else None, "transfer-encoding" in fields
        gate = Gate(body, on_interim) if body is not None and "expect" in fields else None
        connection = await pool.take(address) if begun.lane is None else begun.lane.take_over()
        if tries == 1 and _repeatable(request):
            self._waiting[connection] = begun.placed.member
        if begun.gone:
            connection.give_up(_down())
        try:
            try:
                if begun.lane is None:
                    connection.send(request.method, head, gate or body, chunked=chunked)
                response = await connection.head(gate.interim if gate else on_interim)
            except UpstreamError as error:
                reused = connection.used > 1
                if not may_repeat(error, request.method, has_body=body is not None, reused=reused):
                    raise
                # the node had closed an idle connection: nothing is wrong with it, so it is asked again, anew
                pool.give(address, connection)
                self._waiting.pop(connection, None)
                connection = await pool.take(address, fresh=True)
                self._waiting[connection] = begun.placed.member
                connection.send(request.method, head)
                response = await connection.head(on_interim)
        except BaseException:
            pool.give(address, connection)
            raise
        finally:
            self._waiting.pop(connection, None)
        return connection, response

    async def _content(self, request: Request, reply: Reply, connection: Upstream, response: Response, fields: Fields) -> None:
        reply.start(response.status, fields, response.length_bytes, reason=response.reason)
        while data := await connection.read():
            await reply.write(data)
        takes = bool(response.trailers.items) and "trailers" in request.fields.tokens("te")  # RFC 9110, section 10.1.4
        await reply.end(passable(response.trailers) if takes else None)

    def _refusal(self, error: UpstreamError, reply: Reply, placed: Placed, tries: int) -> HttpError:
        reply.outcome.result = "ERR_READ_TIMEOUT" if error.timeout else "ERR_CONNECT_FAIL"
        return HttpError(error.status, str(error), [("Cache-Control", "no-store"), (ROUTE, route(self._name, placed, tries))])


def _repeatable(request: Request) -> bool:
    return request.method in SAFE_METHODS and not request.has_body  # RFC 9110, section 9.2.2


def _down() -> UpstreamError:
    return UpstreamError("the node did not answer, and its checks fail", "first-byte", timeout=True)


def note(reply: Reply, placed: Placed, tries: int) -> None:
    """What the access log says of a choice."""
    reply.outcome.result = "PROXY"
    reply.outcome.notes.update(choice(placed, tries))
