"""The engine in C, used through ctypes: the loop runs there, and comes back to Python for the lab's requests and for fates.

It decides nothing: `core/` does, the same to the nanosecond as `pipe.py`. See `cores.py` for how it is built.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_bool, c_int, c_int64, c_void_p
from mmap import mmap

from topologies.emulator.links.fates import RECORD, Fates
from topologies.emulator.links.lateness import BUCKETS, Histogram
from topologies.emulator.links.shape import Shape

from .engine import COUNTS

BLOCK, SPARE = 64, 1024
"""Fates made at one go (0.1 ms), and kept ready: as in `core/relay.c`."""

ASK_MORE = ctypes.CFUNCTYPE(None, c_int64, c_int64)


class CShape(ctypes.Structure):
    """`struct shape`."""

    _fields_ = [*((name, c_int64) for name in Shape._fields[:-1]), ("times_ms", c_void_p), ("times", c_int64)]


def c_shape(shape: Shape) -> tuple[CShape, object]:
    """The same for C, and what must live as long as it is used."""
    times = c_int64 * len(shape.times_ms)
    kept = times.from_buffer(shape.times_ms) if isinstance(shape.times_ms, memoryview) else times(*shape.times_ms)
    return CShape(*(int(value) for value in shape[:-1]), ctypes.addressof(kept), len(kept)), kept


def load(path: str) -> ctypes.CDLL:
    """The library with the types of its functions. Raises OSError."""
    library = ctypes.CDLL(path, use_errno=True)
    number, shape = c_int64, POINTER(CShape)
    for name, result, *arguments in (
        ("pipe_push", None, c_void_p, c_bool, ctypes.c_char_p, number, number),
        ("pipe_stage", None, c_void_p, shape, number, c_bool),
        ("relay_new", c_void_p, c_int, c_bool, ASK_MORE),
        ("relay_add", number, c_void_p, c_int, c_int, c_bool, shape, number),
        ("relay_pipe", c_void_p, c_void_p, number),
        ("relay_apply", None, c_void_p, number, number),
        ("relay_counts", None, c_void_p, number, POINTER(number)),
        ("relay_late", number, c_void_p, number, c_bool, POINTER(number)),
        ("relay_stall", number, c_void_p, c_bool),
        ("relay_run", c_int, c_void_p),
        ("log_begin", None, c_void_p, number, number),
        ("log_end", number, POINTER(number)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Core:
    """See `Engine`."""

    name = "compiled"

    def __init__(self, control_fd: int, library: str, awake: bool):
        self._library = load(library)
        self._ask_more = ASK_MORE(self._more)
        self._relay = self._library.relay_new(control_fd, awake, self._ask_more)
        if not self._relay:
            raise OSError(ctypes.get_errno(), "could not make the relay's loop")
        self._kept: dict[int, tuple[object, ...]] = {}  # of each port, the traces that C reads where they are
        self._streams: dict[tuple[int, int], Fates] = {}
        self._made = 0
        self._counts = (c_int64 * len(COUNTS))()
        self._buckets = (c_int64 * BUCKETS)()
        self._logged: mmap | None = None

    def add(self, source: int, target: int, passed: bool, shape: Shape, fates: Fates | None) -> int:
        """See `Engine.add`."""
        given, kept = c_shape(shape)
        stream = self._number(fates)
        port: int = self._library.relay_add(self._relay, source, target, passed, given, stream)
        if port < 0:
            raise OSError(-port, "could not watch a TAP")
        self._kept[port] = (kept,)
        if fates:
            self._streams[port, stream] = fates
            self._push(port, fates, SPARE, staged=False)
        return port

    def stage(self, port: int, shape: Shape, fates: Fates | None, keep_fates: bool) -> None:
        """See `Engine.stage`."""
        given, kept = c_shape(shape)
        self._kept[port] = (*self._kept[port][-1:], kept)  # what it is, and what it is to become
        stream = self._number(fates)
        self._library.pipe_stage(self._pipe(port), given, stream, keep_fates)
        if fates:
            self._streams[port, stream] = fates
            self._push(port, fates, SPARE + self.counts(port)["held"], staged=True)

    def apply(self, port: int, at_ns: int) -> None:
        """See `Engine.apply`."""
        self._library.relay_apply(self._relay, port, at_ns)

    def log_begin(self, memory: mmap, snap_bytes: int) -> None:
        """See `Engine.log_begin`."""
        self._logged = memory  # C writes to it for as long as it lives here
        self._library.log_begin(ctypes.addressof(ctypes.c_char.from_buffer(memory)), len(memory), snap_bytes)

    def log_end(self) -> tuple[int, int]:
        """See `Engine.log_end`."""
        left_out = c_int64()
        used = self._library.log_end(ctypes.byref(left_out))
        self._logged = None
        return used, left_out.value

    def run(self) -> None:
        """See `Engine.run`."""
        status = self._library.relay_run(self._relay)
        if status < 0:
            raise OSError(-status, os.strerror(-status))

    def counts(self, port: int) -> dict[str, int]:
        """See `Engine.counts`."""
        self._library.relay_counts(self._relay, port, self._counts)
        return dict(zip(COUNTS, self._counts, strict=True))

    def lateness(self, port: int, anew: bool) -> Histogram:
        """See `Engine.lateness`."""
        most_ns = self._library.relay_late(self._relay, port, anew, self._buckets)
        return Histogram.of(self._buckets, most_ns)

    def stall_ns(self, watched: bool) -> int:
        """See `Engine.stall_ns`."""
        return int(self._library.relay_stall(self._relay, watched))

    def _pipe(self, port: int) -> c_void_p:
        return c_void_p(self._library.relay_pipe(self._relay, port))

    def _number(self, fates: Fates | None) -> int:
        self._made += fates is not None
        return self._made if fates else 0

    def _more(self, port: int, stream: int) -> None:
        """Called by the loop: from within the pipe when it has no fate left, else when it has time."""
        for old in [key for key in self._streams if key[0] == port and key[1] < stream]:
            del self._streams[old]
        self._push(port, self._streams[port, stream], BLOCK, staged=False)

    def _push(self, port: int, fates: Fates, frames: int, staged: bool) -> None:
        push(self._library, self._pipe(port), fates, frames, staged)


def push(library: ctypes.CDLL, pipe: c_void_p, fates: Fates, frames: int, staged: bool) -> None:
    """So many more fates for a pipe."""
    records = fates.packed(frames)
    library.pipe_push(pipe, staged, records, len(records) // RECORD.size, frames)
