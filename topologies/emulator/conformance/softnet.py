"""Frames that wait in the kernel's own receive queues, before any link: what a slow machine adds. It is no property of a link.

A frame that crosses a veth pair is first queued for its processor (`enqueue_to_backlog` in net/core/dev.c). Where processors
are too slow, as emulated ones are, frames stand there, and a check would take that for the link's queue.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType

from topologies.emulator.conformance import chance
from units import show_ms

_STATISTICS = "/proc/net/softnet_stat"
_BACKLOG = 11
"""Its column: how many frames wait, in hexadecimal, a line for each processor (softnet_seq_show in net/core/net-procfs.c)."""
_USUAL = 90


class Softnet:
    """Samples of how many frames wait, over all processors. A kernel that does not tell gives none. Use it as a context."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self._file = os.open(_STATISTICS, os.O_RDONLY)

    def __enter__(self) -> Softnet:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._file)

    def look(self) -> None:
        """One sample more."""
        found = waiting(os.pread(self._file, 1 << 16, 0).decode("ascii"))
        if found is not None:
            self.waiting.append(found)


def waiting(text: str) -> int | None:
    """Frames that wait, by the text of /proc/net/softnet_stat; None where the kernel does not tell."""
    lines = [line.split() for line in text.splitlines()]
    if not lines or any(len(line) <= _BACKLOG for line in lines):
        return None
    return sum(int(line[_BACKLOG], 16) for line in lines)


def standing(frames: Sequence[int], frame_ms: float, late_ms: float) -> str:
    """Why what was seen beside such samples is no finding about a link: in a tenth of them at least, frames waited for more
    than `late_ms` in this machine, each for `frame_ms`. Empty when it is one."""
    found_ms = chance.percentile(frames, _USUAL) * frame_ms if frames else 0.0
    if found_ms <= late_ms:
        return ""
    return (f"a tenth of the time, frames stood at least {show_ms(found_ms)} in this machine's own receive queues, before the "
            f"link; {show_ms(late_ms)} can be borne")  # fmt: skip
