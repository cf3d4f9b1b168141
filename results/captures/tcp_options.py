"""TCP options of many segments at once: time stamps, SACK, MSS, window scale. It does not judge what they mean.

Nearly every segment carries the same 12 bytes (two NOPs and time stamps, RFC 7323 appendix A): those are one comparison.
All others are walked together, an option a step; 40 bytes hold at most 40 of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from results.captures.columns import MALFORMED, Packets
from results.captures.records import gather

_END, _NOP, _MSS, _SCALE, _PERMITTED, _SACK, _STAMPS = 0, 1, 2, 3, 4, 5, 8
_SIZES = {_MSS: 4, _SCALE: 3, _PERMITTED: 2, _STAMPS: 10}
_ALIGNED_STAMPS = 0x0101080A

Rows = NDArray[np.int64]


def read(data: bytearray, at: Rows, end: Rows, rows: Rows, found: Packets) -> None:
    """Fill the option columns of `rows`, whose options lie in data[at:end]."""
    head = gather(data, at, 12, ">u4")
    usual = (head[:, 0] == _ALIGNED_STAMPS) & (end - at >= 12)
    chosen = rows[usual]
    found.has_stamp[chosen] = True
    found.stamp[chosen], found.echo[chosen] = head[usual, 1], head[usual, 2]
    at = at + 12 * usual
    sacks: list[tuple[Rows, Rows, Rows]] = []
    left = at < end
    while left.any():
        at, end, rows = at[left], end[left], rows[left]
        at, end, rows = _step(data, at, end, rows, found, sacks)
        left = at < end
    if sacks:
        row, left_edge, right_edge = (np.concatenate(part) for part in zip(*sacks, strict=True))
        order = np.argsort(row, kind="stable")
        found.sack_row = row[order]
        found.sack_left, found.sack_right = left_edge[order].astype(np.uint32), right_edge[order].astype(np.uint32)


def _step(
    data: bytearray, at: Rows, end: Rows, rows: Rows, found: Packets, sacks: list[tuple[Rows, Rows, Rows]]
) -> tuple[Rows, Rows, Rows]:
    """One option of each; those that ended are left out."""
    head = gather(data, at, 12, "u1")
    kind = head[:, 0]
    size = np.where(kind <= _NOP, 1, head[:, 1]).astype(np.int64)
    broken = (kind > _NOP) & ((at + 1 >= end) | (size < 2) | (at + size > end))
    for one, due in _SIZES.items():
        broken |= (kind == one) & (size != due)
    broken |= (kind == _SACK) & ((size - 2) % 8 != 0)
    found.state[rows[broken]] |= MALFORMED
    sound = ~broken
    of: dict[int, NDArray[np.bool_]] = {one: sound & (kind == one) for one in _SIZES}
    if (chosen := of[_STAMPS]).any():
        found.has_stamp[rows[chosen]] = True
        found.stamp[rows[chosen]], found.echo[rows[chosen]] = _number(head[chosen], 2, 4), _number(head[chosen], 6, 4)
    if (chosen := of[_MSS]).any():
        found.mss[rows[chosen]] = _number(head[chosen], 2, 2)
    if (chosen := of[_SCALE]).any():
        found.scale[rows[chosen]] = np.minimum(head[chosen, 2], 14)  # RFC 7323 section 2.3: 14 at most
    found.sack_permitted[rows[of[_PERMITTED]]] = True
    chosen = sound & (kind == _SACK) & (size >= 10)
    if chosen.any():
        number = (size - 2) // 8
        found.sacks[rows[chosen]] = number[chosen]
        for block in range(int(number[chosen].max())):
            has = chosen & (number > block)
            edges = gather(data, at[has] + 2 + 8 * block, 8, ">u4").astype(np.int64)
            sacks.append((rows[has], edges[:, 0], edges[:, 1]))
    going = sound & (kind != _END)
    return at[going] + size[going], end[going], rows[going]


def _number(head: NDArray[np.uint8], at: int, width: int) -> NDArray[np.int64]:
    value = np.zeros(len(head), np.int64)
    for byte in range(width):
        value = value << 8 | head[:, at + byte]
    return value
