"""Answers from the store: what is kept, whole or in part, to one client.

It asks no origin. Bytes are compared with their digests before they leave; what turns out to be damaged is gone from the
store, and the caller asks for it anew.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from nodes.edge.answering import Answer, shaped
from nodes.edge.cache_status import CacheStatus
from nodes.edge.caching.age import current_age_s
from nodes.edge.forwarding import to_client
from nodes.edge.hit import HitFile
from nodes.edge.routing.rules import Route, values
from nodes.edge.store.opened import DamagedError, Opened
from nodes.edge.stored import Stored
from nodes.http.conditionals import Selected
from nodes.http.message import Fields, Request
from nodes.http.reply import Reply

PIECE_BYTES = 1024 * 1024
"""So much of a file is compared and sent at a time."""


class Held(HitFile):
    """An object that stays open while something of it waits to be sent or is prepared."""

    __slots__ = ("name", "opened")

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened.fd)
        self.opened, self.name = opened, opened.name

    def unchanged(self) -> bool:
        """See HitFile."""
        return self.opened.unchanged()

    def stretch(self, piece: bytes | tuple[int, int]) -> int | None:
        """Where a piece begins in the file; None when it is not one stretch there."""
        if isinstance(piece, bytes):
            return None
        start, length = piece
        first = self.opened.offset(start)
        return first if self.opened.offset(start + length - 1) == first + length - 1 else None

    def all_right(self, piece: bytes | tuple[int, int]) -> bool:
        """Whether all of a piece was found right, and has not changed since."""
        return not isinstance(piece, bytes) and self.opened.known_right(*piece)

    def __del__(self) -> None:
        self.opened.close()


@dataclass(frozen=True, slots=True)
class Served:
    """How a stored response answers a request at `now_s`. `reason` None: the usual one of the status."""

    stored: Stored
    status: CacheStatus
    fields: Fields
    answer: Answer
    age_s: float
    now_s: float

    @property
    def reason(self) -> str | None:
        """That of the origin, where the status is."""
        return self.stored.reason if self.answer.status == self.stored.status else None

    def plain_fields(self) -> tuple[tuple[str, str], ...]:
        """The fields without Age and without this cache's own Cache-Status, which is the last of those."""
        items = [item for item in self.fields.items if item[0] != "Age"]
        at = max(number for number, (name, _) in enumerate(items) if name == "Cache-Status")
        return tuple(items[:at] + items[at + 1 :])


def shape(
    name: str, request: Request, route: Route, stored: Stored, selected: Selected, status: CacheStatus, now_s: float,
    drop: tuple[str, ...] = (),
) -> Served:  # fmt: skip
    """Fields and parts of the answer; `drop` are fields that must not be reused without validation (RFC 9111, 5.2.2.4)."""
    kept = stored.headers
    if drop:
        kept.drop(*drop)
    age_s = current_age_s(stored, now_s)
    fields = to_client(kept, name, status, age_s)
    boundary = secrets.token_hex(16) if len(selected.parts) > 1 else ""
    made = shaped(selected, stored.status, fields, stored.size_bytes, boundary)
    route.response.apply(fields, values(request))
    return Served(stored, status, fields, made, age_s, now_s)


async def first_right(opened: Opened, served: Served, request: Request) -> bool:
    """Whether the first bytes that will be sent are right, so that the head may promise them."""
    if request.method == "HEAD":
        return True
    for piece in served.answer.pieces:
        if not isinstance(piece, bytes):
            return await opened.checked(piece[0], min(piece[1], PIECE_BYTES))
    return True


async def send(held: Held, served: Served, request: Request, reply: Reply) -> None:
    """The whole answer. Raises ConnectionError; what is found damaged on the way cuts the connection."""
    made = served.answer
    reply.start(made.status, served.fields, made.length_bytes, served.reason)
    if request.method != "HEAD":
        for piece in made.pieces:
            if isinstance(piece, bytes):
                await reply.write(piece)
            else:
                await copy(held, reply, *piece)
    await reply.end()


async def copy(held: Held, reply: Reply, start: int, length: int) -> None:
    """Bytes of the representation from the file. Raises ConnectionError when they are damaged."""
    end, opened = start + length, held.opened
    for part in opened.stored.parts:
        part_end = part.start + part.length
        if part_end <= start or start >= end:
            continue
        size = min(part_end, end) - start
        if not await opened.checked(start, size):
            raise ConnectionResetError("cut, because the stored object turned out to be damaged")
        await reply.file(held, opened.offset(start), size)
        start += size


def read_all(opened: Opened, served: Served) -> bytes | None:
    """The content of a small answer at once, or None when it is damaged."""
    try:
        return b"".join(
            piece if isinstance(piece, bytes) else opened.read(*piece) for piece in served.answer.pieces
        )  # fmt: skip
    except DamagedError:
        return None
