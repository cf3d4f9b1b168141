"""Pipes for tests: the reference in Python and the compiled core behind one face, and what happens to frames in them."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_bool, c_double, c_int64, c_void_p
from typing import NamedTuple, Protocol

from topologies.emulator.links.effects.effect import Effect
from topologies.emulator.links.fates import Fates
from topologies.emulator.links.packet_log import records
from topologies.emulator.links.pipe import NEVER, Pipe
from topologies.emulator.links.relay import compiled
from topologies.emulator.links.shape import Shape

MS = 1_000_000
COUNTED = ("packets", "bytes", "dropped_queue", "dropped_codel", "dropped_down", "lost", "duplicated", "corrupted", "overtook",
           "held", "changed_ns")  # fmt: skip


class Out(NamedTuple):
    """A frame that came out: which one, when it was due, which bit was inverted (-1: none)."""

    number: int
    due_ns: int
    corrupt_bit: int = -1


class Tried(Protocol):
    """A pipe whose frames are numbered in the order offered."""

    def offer(self, size_bytes: int, now_ns: int) -> None: ...
    def change(self, shape: Shape, effects: tuple[Effect, ...] | None, at_ns: int, seed: str = "changed") -> None: ...
    def next_due(self) -> int: ...
    def release(self, now_ns: int) -> list[Out]: ...
    def counts(self, now_ns: int) -> dict[str, int]: ...


class Reference:
    """`pipe.py`."""

    def __init__(self, shape: Shape, effects: tuple[Effect, ...] = (), seed: str = "s", now_ns: int = 0):
        self.pipe = Pipe(shape, Fates(effects, seed) if effects else None, now_ns)
        self.pipe.note = lambda event, content, at_ns: self.events.append((at_ns, event, int.from_bytes(content, "little")))
        self.events: list[tuple[int, int, int]] = []
        self._number = 0

    def offer(self, size_bytes: int, now_ns: int) -> None:
        self.pipe.offer(self._number.to_bytes(4, "little"), size_bytes, now_ns)
        self._number += 1

    def change(self, shape: Shape, effects: tuple[Effect, ...] | None, at_ns: int, seed: str = "changed") -> None:
        self.pipe.change(shape, Fates(effects, seed) if effects else None, effects is None, at_ns)

    def next_due(self) -> int:
        return self.pipe.next_due()

    def release(self, now_ns: int) -> list[Out]:
        found = []
        while held := self.pipe.release(now_ns):
            found.append(Out(int.from_bytes(held.content, "little"), held.at_ns, held.corrupt_bit))
        return found

    def counts(self, now_ns: int) -> dict[str, int]:
        self.pipe.advance(now_ns)
        return {name: getattr(self.pipe, name) for name in COUNTED}


class _CFate(ctypes.Structure):
    _fields_ = [("extra_ns", c_int64), ("corrupt_at", c_double), ("flags", c_int64)]


class _CFrame(ctypes.Structure):
    _fields_ = [("next", c_void_p), ("at_ns", c_int64), ("corrupt_bit", c_int64), ("first", _CFate), ("second", _CFate),
                ("size_bytes", c_int64), ("length", c_int64), ("size", c_int64), ("content", ctypes.c_uint32)]  # fmt: skip


def library(path: str) -> ctypes.CDLL:
    """The core with the types of a pipe's functions."""
    core = compiled.load(path)
    number, shape, frame = c_int64, POINTER(compiled.CShape), POINTER(_CFrame)
    for name, result, *arguments in (
        ("pipe_new", c_void_p, shape, number, number, number, compiled.ASK_MORE), ("pipe_free", None, c_void_p),
        ("frame_new", frame, number), ("frame_free", None, frame), ("pipe_offer", c_bool, c_void_p, frame, number),
        ("pipe_apply", None, c_void_p, number), ("pipe_next_due", number, c_void_p), ("pipe_advance", None, c_void_p, number),
        ("pipe_release", frame, c_void_p, number), ("pipe_counts", None, c_void_p, POINTER(number)), ("frames_bytes", number),
    ):  # fmt: skip
        function = getattr(core, name)
        function.restype, function.argtypes = result, arguments
    return core


LOGGED = bytearray(1 << 22)


class Compiled:
    """`core/pipe.c`. What it logs begins anew with each of them. Fates are pushed in blocks of three, so that the ring turns
    and grows."""

    def __init__(self, core: ctypes.CDLL, shape: Shape, effects: tuple[Effect, ...] = (), seed: str = "s", now_ns: int = 0):
        self._core, self._streams = core, {1: Fates(effects, seed)}
        self._ask_more = compiled.ASK_MORE(self._more)
        given, kept = compiled.c_shape(shape)
        self._kept = [kept]
        self._pipe = c_void_p(core.pipe_new(given, 1 if effects else 0, now_ns, 0, self._ask_more))
        self._number = 0
        core.log_begin(ctypes.addressof(ctypes.c_char.from_buffer(LOGGED)), len(LOGGED), 4)

    def _more(self, number: int, stream: int) -> None:
        compiled.push(self._core, self._pipe, self._streams[stream], 3, staged=False)

    def offer(self, size_bytes: int, now_ns: int) -> None:
        frame = self._core.frame_new(4)
        frame.contents.size_bytes, frame.contents.content = size_bytes, self._number
        self._number += 1
        self._core.pipe_offer(self._pipe, frame, now_ns)

    def change(self, shape: Shape, effects: tuple[Effect, ...] | None, at_ns: int, seed: str = "changed") -> None:
        given, kept = compiled.c_shape(shape)
        self._kept.append(kept)
        stream = max(self._streams) + 1 if effects else 0
        self._core.pipe_stage(self._pipe, given, stream, effects is None)
        if effects:
            self._streams[stream] = Fates(effects, seed)
            compiled.push(self._core, self._pipe, self._streams[stream], 2, staged=True)
        self._core.pipe_apply(self._pipe, at_ns)

    def next_due(self) -> int:
        return int(self._core.pipe_next_due(self._pipe))

    def release(self, now_ns: int) -> list[Out]:
        found = []
        while frame := self._core.pipe_release(self._pipe, now_ns):
            one = frame.contents
            found.append(Out(one.content, one.at_ns, one.corrupt_bit))
            self._core.frame_free(frame)
        return found

    def counts(self, now_ns: int) -> dict[str, int]:
        self._core.pipe_advance(self._pipe, now_ns)
        counted = (c_int64 * len(COUNTED))()
        self._core.pipe_counts(self._pipe, counted)
        return dict(zip(COUNTED, counted, strict=True))

    def events(self) -> list[tuple[int, int, int]]:
        left_out = c_int64()
        used = self._core.log_end(ctypes.byref(left_out))
        assert left_out.value == 0
        return [(one.at_ns, one.event, int.from_bytes(one.content, "little")) for one in records(memoryview(LOGGED)[:used])]

    def close(self) -> None:
        self._core.pipe_free(self._pipe)


def drained(pipe: Tried) -> list[Out]:
    """Everything still to come, released when it says so; its answers never go back and never promise what is not kept."""
    found: list[Out] = []
    while (due := pipe.next_due()) < NEVER:
        found += pipe.release(due)
    return found
