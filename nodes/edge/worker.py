"""What the workers beside the home do: they answer prepared hits themselves and have the home answer everything else.

They know no rules and no index. The home tells them what is ready and what has changed; they tell it what they used.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from pathlib import Path

from nodes.edge.hit import Hit, HitFile, Ready, hit_of
from nodes.edge.preparing import SMALL_BYTES, family
from nodes.edge.store.entry import Stamp, stamp_of
from nodes.edge.store.shelf import Shelf
from nodes.http.application import Message, Team
from nodes.http.message import Request
from nodes.http.own_paths import RESERVED
from nodes.http.prepared import LONGEST_HEAD_BYTES, Prepared, PreparedAnswers, key_of
from nodes.http.reply import Reply

MOST_RELAYED = 1024
"""So many heads that were relayed once are remembered, none of them longer than what may be ready."""

LATE_S = 0.05
"""Uses are told to the home so late at most."""


class EdgeWorker:
    """A worker that is not the home."""

    reserved = RESERVED

    def __init__(self, name: str, folder: Path, most_files: int, ready_bytes: int) -> None:
        self.name, self._shelf, self._most_files = name, Shelf(folder), most_files
        self.prepared = PreparedAnswers(most_bytes=ready_bytes)
        self._files: OrderedDict[int, OpenObject] = OrderedDict()
        self._used: dict[int, None] = {}
        self._relayed: OrderedDict[bytes, None] = OrderedDict()
        self._team: Team | None = None

    def join(self, team: Team) -> None:
        """Called once, before the first client."""
        self._team = team

    async def handle(self, request: Request, reply: Reply) -> None:
        """By the home. What it relays twice it asks the home for: there it may be ready."""
        assert self._team is not None
        short = len(request.raw) <= LONGEST_HEAD_BYTES  # what is longer is never ready
        if short and not request.has_body and request.method in ("GET", "HEAD"):
            head = key_of(request.scheme, request.raw)
            if head in self._relayed:
                self._team.tell_home({"want": head.decode("latin-1")})
                del self._relayed[head]
            else:
                self._relayed[head] = None
                if len(self._relayed) > MOST_RELAYED:
                    self._relayed.popitem(last=False)
        await self._team.relay(request, reply)

    async def close(self) -> None:
        """Tell what is still to tell."""
        self._tell_used()

    def reload(self) -> None:
        """The home reads the rules; what was ready by the old ones is not."""
        self._changed([None])

    def used(self, answers: dict[Prepared, int]) -> None:
        """Prepared answers were given."""
        if not self._used:
            asyncio.get_running_loop().call_later(LATE_S, self._tell_used)
        for answer in answers:
            assert isinstance(answer, Ready)
            self._used.pop(answer.hit.name, None)  # what was used last stands last
            self._used[answer.hit.name] = None

    def told(self, message: Message, _: int) -> None:
        """By the home."""
        if "changed" in message:
            self._changed(message["changed"])
        else:
            self._take(hit_of(message["hit"]))

    def _tell_used(self) -> None:
        assert self._team is not None
        if self._used:
            names, self._used = list(self._used), {}
            self._team.tell_home({"used": names})

    def _changed(self, names: list[int | None]) -> None:
        for name in names:
            if name is None:
                self.prepared.clear()
                self._files.clear()
            else:
                self.prepared.drop(family(name))
                self._files.pop(name, None)

    def _take(self, hit: Hit) -> None:
        """Make an answer ready from the object's file, if that is the one which the home has found right."""
        body: bytes | None = b""
        file = None
        if hit.sent_bytes:
            file = self._open(hit.name, hit.stamp)
            if file is None:
                return
            body = None
            if hit.sent_bytes <= SMALL_BYTES:
                body, file = os.pread(file.fd, hit.sent_bytes, hit.start) if file.unchanged() else b"", None
                if len(body) < hit.sent_bytes:
                    return
        if self.prepared.put(hit.request, Ready(self.name, hit, body, file), family(hit.name)) and file is not None:
            self._files[hit.name] = file
            if len(self._files) > self._most_files:
                self.prepared.drop(family(self._files.popitem(last=False)[0]))

    def _open(self, name: int, stamp: Stamp) -> OpenObject | None:
        known = self._files.get(name)
        if known is not None and known.stamp == stamp:
            return known
        try:
            file = OpenObject(os.open(self._shelf.path(name), os.O_RDONLY | os.O_CLOEXEC), stamp)
        except OSError:
            return None  # it is gone, and the home will say so
        return file if file.unchanged() else None


class OpenObject(HitFile):
    """An object's file, open here."""

    __slots__ = ("stamp",)

    def __init__(self, fd: int, stamp: Stamp) -> None:
        super().__init__(fd)
        self.stamp = stamp

    def unchanged(self) -> bool:
        """See HitFile."""
        return stamp_of(os.fstat(self.fd)) == self.stamp
