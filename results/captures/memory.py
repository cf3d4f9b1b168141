"""Memory that is used again: arrays laid side by side in one piece, which the next arrays take over. It frees nothing early.

A page of 4 KiB costs some microseconds when it is first touched, most of all on a virtual machine: as much as reading fifty
packets. So who works off a capture piece by piece keeps its memory; and numpy asks for pages of 2 MiB for what has at least
4 MiB, which all arrays of a piece have together and none has alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_ALIGNED = 64


class Memory:
    """One piece, as large as was ever asked for."""

    def __init__(self) -> None:
        self._whole: Any = np.empty(0, np.uint8)

    def arrays(self, wanted: Mapping[str, tuple[int, Any]]) -> dict[str, Any]:
        """An array for each name of (entries, type), with whatever stood there. They end those handed out before."""
        sizes = {name: -(-count * np.dtype(kind).itemsize // _ALIGNED) * _ALIGNED for name, (count, kind) in wanted.items()}
        if sum(sizes.values()) > len(self._whole):
            self._whole = np.empty(0, np.uint8)  # the old one goes before the new one comes
            self._whole = np.empty(sum(sizes.values()) * 5 // 4, np.uint8)
        found, at = {}, 0
        for name, (count, kind) in wanted.items():
            found[name] = self._whole[at : at + count * np.dtype(kind).itemsize].view(kind)
            at += sizes[name]
        return found


class Memories(dict[str, Memory]):
    """A piece for each purpose, made when it is first asked for."""

    def __missing__(self, purpose: str) -> Memory:
        return self.setdefault(purpose, Memory())
