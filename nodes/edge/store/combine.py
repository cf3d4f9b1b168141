"""Joining a partial response to what is stored of the same representation (RFC 9110, section 15.3.7.3).

It does not decide whether they may be joined; `caching/partial.py` does. The result is a new file, written beside the
old and renamed, with the bytes in order; copying goes on in a thread, because it may be much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from nodes.edge.store.opened import Opened
from nodes.edge.store.spool import Spool
from nodes.edge.stored import Part

COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the representation, from the new response or from the stored one."""

    start: int
    length: int
    new: bool


def plan_of(kept: Sequence[Part], came: Sequence[Part]) -> list[Piece]:
    """What the joined object consists of, in order: the new bytes, and the kept ones before and after them."""
    if not came:
        return []
    start, end = came[0].start, came[-1].start + came[-1].length
    before, after = list[Piece](), list[Piece]()
    for part in kept:
        if part.start < start:
            before.append(Piece(part.start, min(part.start + part.length, start) - part.start, False))
        if part.start + part.length > end:
            first = max(part.start, end)
            after.append(Piece(first, part.start + part.length - first, False))
    return [*before, Piece(start, end - start, True), *after]


async def joined(plan: Sequence[Piece], opened: Opened, spool: Spool, target: Spool) -> bool:
    """Fill the target; False when the stored bytes are damaged. Raises OSError."""
    for piece in plan:
        if not piece.new and not await opened.checked(piece.start, piece.length):
            return False
    await asyncio.to_thread(_copy, plan, opened, spool, target)
    return True


def _copy(plan: Sequence[Piece], opened: Opened, spool: Spool, target: Spool) -> None:
    """The target has room for all of it, so that nothing here touches the index from another thread."""
    for piece in plan:
        target.at(piece.start)
        for done in range(0, piece.length, COPY_BYTES):
            length = min(COPY_BYTES, piece.length - done)
            # all of the spool is the one new piece
            data = spool.read(done, length) if piece.new else opened.pread(piece.start + done, length)
            if len(data) != length:
                raise OSError("the disk gave fewer bytes than it has")
            target.write(data)

