"""A way to a memcached that can be cut: while it is, nothing passes and nothing is told; afterwards what was sent arrives.

It can also be slow: everything then arrives later, in order.
"""

from __future__ import annotations

import asyncio


class Way:
    """Inside a running loop; `port` is where to connect."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self.late_s = 0.0
        """How much later what is sent arrives, each way."""
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self) -> Way:
        """Accept connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def cut(self) -> None:
        """Nothing passes."""
        self._open.clear()

    def heal(self) -> None:
        """It passes again."""
        self._open.set()

    async def close(self) -> None:
        """End all that passes."""
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection(*self._there)
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        except (OSError, asyncio.CancelledError):
            writer.close()
        finally:
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction until it ends."""
        try:
            while data := await reader.read(2**16):
                await asyncio.sleep(self.late_s)
                await self._open.wait()
                writer.write(data)
        finally:
            writer.close()
