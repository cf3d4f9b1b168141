"""Where the records of a capture begin: many places of a chunk are walked at once. It does not know what a record holds.

A record says only how long it is, so finding the next one is a chain that one processor follows at one step a packet, which
the compiled core does. Without it a chunk is cut into lanes; in each the first plausible record is guessed, and all lanes
step together as vectors. A guess is believed only when the lane before it, itself proven from the first record on, ends
exactly there; where one does not, a plain loop goes on from the last proven record. So a wrong guess costs time and never a
wrong packet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.captures import compiled
from results.captures.memory import Memory
from results.captures.records import LARGEST_RECORD, gather

Offsets = NDArray[np.int64]

LANE_BYTES = 1 << 15
"""Bytes a lane walks. Shorter lanes cost more guesses, longer ones more steps; between 16 and 64 KiB it hardly matters."""
SMALLEST_STEP = 12
"""No step is shorter, so that a record of length 0 is no endless loop; the caller judges lengths and refuses it."""


@dataclass(frozen=True)
class Shape:
    """How a record says its length: `base` bytes more than the 32-bit number `where` bytes after its begin.

    `header_bytes` is the least that has to be there to read it, `words` how many 32-bit numbers it begins with that are wanted,
    and whether its last (`tail`) is; `guess` finds a plausible record in (data, from, to), or -1.
    """

    order: str
    base: int
    where: int
    header_bytes: int
    words: int
    tail: bool
    guess: Callable[[bytearray, int, int], int]


class Walked(NamedTuple):
    """Offsets of records, the offset behind the last of them, and the numbers of each, a column a number."""

    at: Offsets
    after: int
    words: Sequence[NDArray[np.uint32]]


def walk(data: bytearray, start: int, end: int, shape: Shape, memory: Memory | None = None) -> Walked:
    """All records of data[start:end] that are whole.

    `after` is where the next record begins, or would; it is `end` when the chunk ends with a record. Lengths are believed
    as they stand: one that is absurd shows as a record that is not whole.
    """
    if (core := compiled.core()) is not None:
        return Walked(*compiled.walk(core, data, start, end, shape, SMALLEST_STEP, memory or Memory()))
    at, after = _offsets(data, start, end, shape)
    words = np.ascontiguousarray(gather(data, at, 4 * shape.words, shape.order + "u4").T, np.uint32)
    if not shape.tail:
        return Walked(at, after, list(words))
    sizes = np.minimum(words[shape.where // 4] + np.int64(shape.base), LARGEST_RECORD)
    tails = gather(data, at + np.maximum(sizes, SMALLEST_STEP) - 4, 4, shape.order + "u4")[:, 0].astype(np.uint32)
    return Walked(at, after, [*words, tails])


def _offsets(data: bytearray, start: int, end: int, shape: Shape) -> tuple[Offsets, int]:
    starts = _guesses(data, start, end, shape)
    found = _serial(data, start, end, shape) if len(starts) < 4 else _lanes(data, starts, end, shape)
    if not len(found):
        return found, start
    last = int(found[-1])
    after = last + _step(data, last, shape)
    if after > end:  # only the last may be cut: all others were stepped over
        return found[:-1], last
    return found, after


def _step(data: bytearray, at: int, shape: Shape) -> int:
    return max(SMALLEST_STEP, shape.base + int(struct.unpack_from(shape.order + "I", data, at + shape.where)[0]))


def _guesses(data: bytearray, start: int, end: int, shape: Shape) -> list[int]:
    """Begins of lanes, ascending, the first proven."""
    found = [start]
    for at in range(start + LANE_BYTES, end - LANE_BYTES, LANE_BYTES):
        guess = shape.guess(data, max(at, found[-1] + 1), min(end, at + LANE_BYTES))
        if guess > found[-1]:
            found.append(guess)
    return found


def _serial(data: bytearray, at: int, end: int, shape: Shape, known: frozenset[int] = frozenset()) -> Offsets:
    """Records from `at` until one of `known` is reached or the header of the next is not there."""
    length = struct.Struct(shape.order + "I").unpack_from
    base, where, last = shape.base, shape.where, end - shape.header_bytes
    found = []
    while at <= last and at not in known:
        found.append(at)
        at += max(SMALLEST_STEP, base + length(data, at + where)[0])
    return np.array(found, np.int64)


def _lanes(data: bytearray, starts: list[int], end: int, shape: Shape) -> Offsets:
    visited, exits = _stepped(data, starts, end, shape)
    at, lane, pieces = starts[0], 0, []
    index_of = {begin: number for number, begin in enumerate(starts)}
    known = frozenset(starts)
    while at <= end - shape.header_bytes:
        if at in index_of:
            # All lanes whose exits meet the next begin are proven in one piece.
            lane = first = index_of[at]
            while lane + 1 < len(starts) and exits[lane] == starts[lane + 1]:
                lane += 1
            block = visited[:, first : lane + 1].T
            pieces.append(block[block >= 0])
            at = exits[lane]
            if at in index_of and index_of[at] > lane:
                continue
        if at <= end - shape.header_bytes:
            more = _serial(data, at, end, shape, known)
            pieces.append(more)
            if not len(more):
                break
            at = int(more[-1]) + _step(data, int(more[-1]), shape)
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _stepped(data: bytearray, starts: list[int], end: int, shape: Shape) -> tuple[Offsets, list[int]]:
    """What each lane visits before the next lane's begin, a column a lane filled up with -1, and where each comes out."""
    number = len(starts)
    lengths: NDArray[np.uint32] = np.ndarray((end - shape.where - 3,), shape.order + "u4", data, shape.where, (1,))
    at = np.array(starts, np.int64)
    stop = np.append(at[1:], end - shape.header_bytes + 1)
    exits, lane = at.copy(), np.arange(number)
    rows = []
    while len(lane):
        row = np.full(number, -1, np.int64)
        row[lane] = at
        rows.append(row)
        at = at + np.maximum(lengths[at].astype(np.int64) + shape.base, SMALLEST_STEP)
        live = at < stop
        if not live.all():
            exits[lane[~live]] = at[~live]
            at, stop, lane = at[live], stop[live], lane[live]
    return np.stack(rows), [int(one) for one in exits]
