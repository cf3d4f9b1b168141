"""A daemon for tests of the wire alone: it answers in every way that the server offers, as the path says."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from nodes.http.application import Message, Team
from nodes.http.message import Fields, HttpError, Request
from nodes.http.options import parser, serve
from nodes.http.prepared import OpenFile, Prepared, PreparedAnswers
from nodes.http.reply import Reply, answer_head

if TYPE_CHECKING:
    from nodes.http.connection import Connection

PATTERN = bytes(range(256))
FILE_BYTES = 8 * 1024 * 1024


class Prompt(Prepared):
    """Renewed three times, each time for 50 ms; then it is judged anew."""

    renewals = 0

    def renew(self, now_s: float) -> bool:
        self.renewals += 1
        if self.renewals > 3:
            return False
        block = self.block.replace(b"X-Renewed: %d" % (self.renewals - 1), b"X-Renewed: %d" % self.renewals)
        self.update(block, now_s + 0.05, self.cache_status)
        return True


class WireApp:
    """See `handle`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.prepared = PreparedAnswers()
        self.given = self.made = 0
        self.told_of: list[str] = []
        self.team: Team | None = None
        made, path = tempfile.mkstemp()
        os.write(made, PATTERN * (FILE_BYTES // len(PATTERN)))
        os.unlink(path)
        self._file = OpenFile(made)

    def join(self, team: Team) -> None:
        self.team = team

    def told(self, message: Message, worker: int) -> None:
        self.told_of.append(f"{worker}:{message['text']}")

    def used(self, answers: dict[Prepared, int]) -> None:
        self.given += sum(answers.values())

    def try_now(self, request: Request, connection: Connection) -> bool:
        path = request.path
        if not path.startswith(("/prepared", "/now", "/file-", "/renewed")):
            return False
        size = int(request.query or "5")
        in_file = path.startswith("/file-")
        self.made += 1
        fields = Fields([("X-Made", str(self.made)), ("X-Renewed", "0"), ("X-Path", path)])
        head, (keep, _) = answer_head(request, 200, fields, size, keep=True)
        kind, until_s = (Prompt, time.time() + 0.05) if path.startswith("/renewed") else (Prepared, float("inf"))
        content = b"" if in_file or request.method == "HEAD" else b"y" * size
        answer = kind(request, 200, "TCP_HIT", head + content, 0 if request.method == "HEAD" else size,
                      until_s=until_s, cache_status=f"{self.name}; hit", persistent=keep,
                      file=self._file if in_file and request.method == "GET" else None)  # fmt: skip
        if path.startswith(("/prepared", "/file-prepared", "/renewed")):
            self.prepared.put(request, answer, path)
        connection.give(answer, request)
        return True

    async def handle(self, request: Request, reply: Reply) -> None:  # noqa: PLR0912  # a list of examples
        """`/echo` the content, `/status/N`, `/slow?MS`, `/chunks`, `/interim`, `/file`, `/drop/...`, `/team...`."""
        path = request.path
        if path == "/echo":
            body = b"".join([piece async for piece in request.body]) if request.body is not None else b""
            seen = Fields([("X-URI", request.uri), ("X-Version", request.version)])
            await reply.full(200, seen, body)
        elif path.startswith("/status/"):
            fields = Fields([("X-One", "1"), ("x-unknown", "a"), ("X-ONE", "2")])
            reply.start(int(path[8:]), fields, 0, reason=request.query or None)
            await reply.end()
        elif path == "/slow":
            await asyncio.sleep(int(request.query) / 1e3)
            await reply.full(200, Fields(), b"slow")
        elif path == "/chunks":
            reply.start(200, Fields(), None)
            for word in (b"one", b"two", b"three"):
                await reply.write(word)
            await reply.end(Fields([("X-Sum", "3")]))
        elif path == "/interim":
            reply.interim(103, Fields([("Link", "</a>")]))
            await reply.full(200, Fields(), b"late")
        elif path == "/file":
            reply.start(200, Fields(), FILE_BYTES)
            await reply.file(self._file, 0, FILE_BYTES)
            await reply.end()
        elif path.startswith("/drop"):
            self.prepared.drop(path[5:])
            await reply.full(200, Fields(), b"")
        elif path == "/short":
            reply.start(200, Fields(), 10)
            await reply.write(b"12345")
            reply.abort()
        elif path == "/given":
            await reply.full(200, Fields(), str(self.given).encode())
        elif path.startswith("/team") and self.team is not None:
            await self._team(request, reply, self.team)
        elif path.startswith("/home") and self.team is not None and self.team.index:
            await self.team.relay(request, reply)
        elif path.startswith("/home/"):
            inner = path[5:]
            request.path = inner
            await self.handle(request, reply)
        else:
            raise HttpError(404, "nothing of that name")

    async def _team(self, request: Request, reply: Reply, team: Team) -> None:
        text = str(team.index)
        if request.path == "/team/told":
            text = " ".join(self.told_of)
        elif request.path == "/team/home" and team.index:
            team.tell_home({"text": request.query})
        elif request.path == "/team/all" and not team.index:
            await team.tell_all({"text": request.query})
        elif request.path == "/team/pid":
            text = f"{team.index} {os.getpid()}"
        await reply.full(200, Fields(), text.encode())

    async def close(self) -> None:
        """Nothing to close."""


if __name__ == "__main__":
    sys.exit(serve(parser("wire", "The wire alone.", "-").parse_args(), lambda name, _: WireApp(name), "wire"))
