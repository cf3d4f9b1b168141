"""The workers of one daemon, as one of them sees them: telling, asking, and relaying requests to the home.

It starts no process (`workers.py` does) and knows no application: their messages pass through it.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nodes.http.application import Application, Message
from nodes.http.channel import Channel
from nodes.http.message import Request
from nodes.http.relaying import Relay
from nodes.http.reply import Reply

if TYPE_CHECKING:
    from nodes.http.server import Server


class Workers:
    """A `Team`. `ends` are the sockets to the others by their number: at home all, elsewhere the home's.

    `lifeline` is a descriptor that becomes readable when the parent is gone.
    """

    def __init__(self, index: int, count: int, ends: dict[int, socket.socket], lifeline: int) -> None:
        self.index, self.count, self._lifeline = index, count, lifeline
        self._channels: dict[int, Channel] = {}
        self._numbers = itertools.count(1)
        self._asked: dict[int, dict[int, asyncio.Future[Any]]] = {worker: {} for worker in ends}
        self._alone = asyncio.Event()
        self._relay = Relay(self._hand_over)
        self._server: Server | None = None
        self._told: Callable[[Message, int], None] | None = None
        self._ends = ends

    def serve(self, server: Server, application: Application) -> None:
        """Begin to listen to the others."""
        self._server = server
        self._told = getattr(application, "told", None)
        for worker, end in self._ends.items():
            self._channels[worker] = Channel(end, _from(self._message, worker), _from(self._gone, worker))
        server.loop.add_reader(self._lifeline, self._orphaned)
        join = getattr(application, "join", None)
        if join is not None:
            join(self)

    # -- Team -----------------------------------------------------------------------------------------------------
    def tell_home(self, message: Message) -> None:
        """See Team."""
        if 0 in self._channels:  # else the home is gone, and this worker is about to be ended
            self._channels[0].send({"tell": message})

    async def tell_all(self, message: Message) -> None:
        """See Team."""
        await self._ask_all({"do": message})

    async def relay(self, request: Request, reply: Reply) -> None:
        """See Team."""
        await self._relay.relay(request, reply)

    # -- for Server -----------------------------------------------------------------------------------------------
    async def metrics(self) -> list[str]:
        """Every other worker's numbers; their logs are written up to now."""
        return [text for text in await self._ask_all({"metrics": True}) if text is not None]

    async def left_alone(self) -> None:
        """Until no other worker is there; a worker that is not the home does not wait."""
        self._relay.close()
        if self.index == 0:
            await self._alone.wait()

    def close(self) -> None:
        """Leave."""
        self._relay.close()
        for channel in self._channels.values():
            channel.close()

    # -- inside ---------------------------------------------------------------------------------------------------
    async def _ask_all(self, message: Message) -> list[Any]:
        loop, number = asyncio.get_running_loop(), next(self._numbers)
        waiting = []
        for worker, channel in self._channels.items():
            future = loop.create_future()
            self._asked[worker][number] = future
            waiting.append(future)
            channel.send({**message, "number": number})
        return list(await asyncio.gather(*waiting))

    def _message(self, worker: int, message: Message, descriptors: list[int]) -> None:
        server = self._server
        assert server is not None
        if "done" in message:
            future = self._asked[worker].pop(message["number"], None)
            if future is not None and not future.done():
                future.set_result(message["done"])
        elif "link" in message:
            for descriptor in descriptors:
                server.linked(socket.socket(fileno=descriptor))
        elif "metrics" in message:
            self._channels[worker].send({"done": server.own_metrics(), "number": message["number"]})
        else:
            self._tell(message["do"] if "do" in message else message["tell"], worker)
            if "do" in message:
                self._channels[worker].send({"done": None, "number": message["number"]})

    def _tell(self, message: Message, worker: int) -> None:
        if self._told is None:
            return
        try:
            self._told(message, worker)
        except Exception:
            assert self._server is not None
            self._server.stop(failed=True)  # this worker no longer knows what the others know
            raise

    def _gone(self, worker: int) -> None:
        """Who is gone has no answer left to give, and is waited for no longer. The parent ends a team without its home."""
        del self._channels[worker]
        for future in self._asked.pop(worker).values():
            if not future.done():
                future.set_result(None)
        if not self._channels:
            self._alone.set()

    def _orphaned(self) -> None:
        assert self._server is not None
        self._server.loop.remove_reader(self._lifeline)
        self._server.stop(failed=True)

    def _hand_over(self, end: socket.socket) -> None:
        if 0 not in self._channels:
            raise ConnectionResetError("the home worker is gone")
        self._channels[0].send({"link": True}, end)


def _from(call: Callable[..., None], worker: int) -> Callable[..., None]:
    return lambda *arguments: call(worker, *arguments)
