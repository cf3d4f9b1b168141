"""Segments that waited come back whole, connection by connection in file order, whatever they are of and wherever they lay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.captures import compiled, spool
from results.captures.columns import TCP, TYPES, Packets
from results.captures.memory import Memories

_CHUNKS = st.lists(st.tuples(st.sampled_from([4, 4, 6]), st.integers(0, 40), st.integers(0, 2**32)), min_size=1, max_size=6)


def chunk(version: int, count: int, seed: int, first: int) -> Packets:
    """Segments of a few connections, with some other packets between."""
    dice = np.random.default_rng(seed)
    found = Packets.zeros(count)
    for name in spool.ROW.names or ():
        kind = np.dtype(TYPES[name])
        getattr(found, name)[:] = dice.integers(0, 100, count).astype(kind)
    found.frame[:] = np.arange(first, first + count)
    for end in ("source", "destination"):
        getattr(found, f"{end}_low")[:] = dice.integers(1, 4, count)
        getattr(found, f"{end}_high")[:] = 7 if version == 6 else 0
        getattr(found, f"{end}_port")[:] = dice.integers(1, 3, count)
    found.protocol[:] = np.where(dice.random(count) < 0.8, TCP, 17)
    found.sacks[:] = np.where((dice.random(count) < 0.3), dice.integers(1, 4, count), 0)
    found.sack_row = np.repeat(np.arange(count), found.sacks)
    found.sack_left, found.sack_right = (dice.integers(0, 2**32, len(found.sack_row)).astype(np.uint32) for _ in range(2))
    return found


def seen(packets: Packets, row: int) -> tuple[Any, ...]:
    """All that is kept of a segment, its SACK blocks too."""
    mine = packets.sack_row == row
    return (*(int(getattr(packets, name)[row]) for name in spool.ROW.names or ()),
            *packets.sack_left[mine].tolist(), *packets.sack_right[mine].tolist())  # fmt: skip


@pytest.mark.parametrize("core", [True, False])
@given(_CHUNKS, st.sampled_from([0, 2000, 1 << 20]), st.sampled_from([1, 30, 1000]))
@settings(max_examples=80, deadline=None)
def test_what_was_put_comes_back(core: bool, chunks: list[tuple[int, int, int]], in_memory: int, most: int) -> None:
    if core and compiled.core() is None:
        pytest.skip("the core is not built")
    put: dict[int, tuple[Any, ...]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "IN_MEMORY", in_memory)
        if not core:
            patch.setattr(compiled, "core", lambda: None)
        with spool.Spool() as kept:
            for number, (version, count, seed) in enumerate(chunks):
                packets = chunk(version, count, seed, 100 * number)
                chosen = np.flatnonzero(packets.protocol == TCP)
                put |= {int(packets.frame[row]): seen(packets, row) for row in chosen.tolist()}
                kept.put(packets, chosen)
            back: list[tuple[Any, ...]] = []
            for parts in kept.batches(most):
                found = kept.read(*parts, Memories())
                back += [seen(found, row) for row in range(len(found))]
    assert sorted(back) == sorted(put.values())
    ends: dict[frozenset[tuple[int, ...]], int] = {}
    for one in back:
        frame, _, source_high, source_low, high, low = one[:6]
        source_port, port = one[12:14]
        pair = frozenset(((source_high, source_low, source_port), (high, low, port)))
        assert frame > ends.get(pair, -1), "each connection in file order"
        ends[pair] = frame
