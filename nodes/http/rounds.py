"""The turns of all client sockets: an epoll of their own, drained in rounds when asyncio's loop says it is ready.

It does not parse. A request whose very bytes have a prepared answer is answered here, in the round that reads it, with
its record and its numbers; every other goes to its `Connection`.
"""

from __future__ import annotations

import select
import time
from os import sendfile
from socket import MSG_MORE
from typing import TYPE_CHECKING, Protocol, cast

from nodes.http.wire import READ, RECEIVE_BYTES, TURN_BYTES

if TYPE_CHECKING:
    from nodes.http.connection import Connection
    from nodes.http.prepared import Prepared
    from nodes.http.server import Server

MOST_ROUNDS = 16
"""Before the event loop gets its turn."""

EVENTS = 256


class Member(Protocol):
    """What a descriptor in the epoll belongs to."""

    quick: bool

    def event(self, mask: int) -> None:
        """The kernel has something to tell."""
        ...


def _send_with_file(connection: Connection, answer: Prepared) -> int:
    """Send head and content as far as the kernel takes them now; gives how many bytes. Raises OSError."""
    assert answer.file is not None
    sent = connection.send(answer.block, MSG_MORE)
    if sent == len(answer.block):
        try:
            sent += sendfile(connection.wire.fd, answer.file.fd, answer.start, min(answer.body_bytes, TURN_BYTES))
        except BlockingIOError:
            pass  # the rest follows when there is room
    return sent


class Rounds:
    """The epoll and its members."""

    def __init__(self, server: Server) -> None:
        self.epoll = select.epoll()
        self.members: dict[int, Member] = {}
        self._server = server
        server.loop.add_reader(self.epoll.fileno(), self._drain)

    def join(self, descriptor: int, member: Member) -> None:
        """Tell it when there is something to read."""
        self.members[descriptor] = member
        self.epoll.register(descriptor, READ)

    def leave(self, descriptor: int) -> None:
        """Tell it no more. To leave twice does nothing."""
        if self.members.pop(descriptor, None) is not None:
            self.epoll.unregister(descriptor)

    def close(self) -> None:
        """No more turns."""
        self._server.loop.remove_reader(self.epoll.fileno())
        self.epoll.close()

    def _drain(self) -> None:
        records = self._server.records
        for _ in range(MOST_ROUNDS):
            events = self.epoll.poll(0, EVENTS)
            if not events:
                break
            self._round(events)
            records.flush_full()
        records.tell_used()

    def _round(self, events: list[tuple[int, int]]) -> None:
        """One turn of every client that has something to say."""
        members, prepared, records = self.members, self._server.prepared, self._server.records
        lines, beginning, logged = records.log.lines, records.log.beginning, records.log.open
        used, prefix = records.used, records.prefix
        clock, ends_ns = time.monotonic_ns, []
        began_ns, now_s = clock(), time.time()
        began_s, to_wall_ns = began_ns / 1e9, time.time_ns() - began_ns
        for descriptor, mask in events:
            member = members.get(descriptor)
            if member is None:
                continue  # it ended earlier in this round
            if mask != READ or not member.quick:
                member.event(mask)
                continue
            connection = cast("Connection", member)  # nothing else is ever quick
            try:
                data = connection.receive(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            answer = prepared(data)
            if answer is None or (now_s >= answer.until_s and not answer.renew(now_s)):
                connection.arrived(data, began_s)
                continue
            try:
                sent = connection.send(answer.block) if answer.file is None else _send_with_file(connection, answer)
            except BlockingIOError:
                sent = 0
            except OSError:
                connection.arrived(b"", began_s)
                continue
            connection.moved_s = began_s
            if sent != answer.whole_bytes:
                connection.leftover(answer, sent, began_s)
                continue
            end_ns = clock()
            used.append(answer)
            ends_ns.append(end_ns)
            if logged:
                records.number += 1  # not in a copy: whom a connection answers in this round is numbered too
                took = f"{(end_ns - began_ns) / 1e6:.3f}"
                lines.append(
                    f'{answer.log or beginning(answer)}{connection.log}"ts_ns":{end_ns + to_wall_ns},"duration_ms":{took},'
                    f'"first_byte_ms":{took},"request_id":"{prefix}-{records.number}"}}\n'
                )
        if ends_ns:
            records.durations.observe_ends(began_ns, ends_ns)
