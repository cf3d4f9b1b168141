"""What the lab and a worker of the relay say to each other: one pickle for each datagram, both being the same program.

It is not a format for others: it crosses a private socket pair only. A trace is too long for it and comes as a file.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from topologies.emulator.links.effects.effect import Effect
from topologies.emulator.links.shape import NONE, Shape

LARGEST_BYTES = 131072


class Way(NamedTuple):
    """One direction for a worker: its shape without the trace's times, its effects and the seed text of their fates."""

    shape: Shape
    effects: tuple[Effect, ...]
    seed: str


class Add(NamedTuple):
    """A port; the two TAPs are attached (and the trace). Answer: its number."""

    way: Way
    passed: bool


class Stage(NamedTuple):
    """Make a port ready to become another (a trace that is new is attached). With `keep_fates` the effects stay."""

    port: int
    way: Way
    keep_fates: bool


class Apply(NamedTuple):
    """What was staged holds from that moment (CLOCK_MONOTONIC) on."""

    ports: tuple[int, ...]
    at_ns: int


class Report(NamedTuple):
    """Counters of a port, with the rows of its lateness."""

    port: int


class Watch(NamedTuple):
    """Begin or end a stretch; at its end (99th percentile, maximum) of each port that something passed, and the stall."""

    on: bool


class LogBegin(NamedTuple):
    """Write down what becomes of every frame; the memory for it is attached."""

    snap_bytes: int


class LogEnd(NamedTuple):
    """Write no more. Answer: bytes written, and records that did not fit."""


class Refused(NamedTuple):
    """The answer to what cannot be done."""

    why: str


def send(control: socket.socket, message: object, fds: Sequence[int] = ()) -> None:
    """Whole or not at all. Raises OSError."""
    socket.send_fds(control, [pickle.dumps(message)], list(fds))


def receive(control: socket.socket) -> tuple[Any, list[int]]:
    """The next message and what is attached; None when the other side has closed. Raises OSError."""
    data, fds, _, _ = socket.recv_fds(control, LARGEST_BYTES, 3)
    return (pickle.loads(data) if data else None), fds


def trace_file(times_ms: Sequence[int]) -> int:
    """The times of a trace as an open file, 64 bits each."""
    fd = os.memfd_create("trace")
    with os.fdopen(os.dup(fd), "wb") as file:
        array("q", times_ms).tofile(file)
    return fd


def trace_times(fd: int) -> Sequence[int]:
    """What `trace_file` wrote, without reading it: two million times would take the relay longer than a frame may wait."""
    return memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_COPY)).cast("q")


def without_times(shape: Shape) -> Shape:
    """A shape that fits into a message."""
    return shape._replace(times_ms=())


def has_trace(shape: Shape) -> bool:
    """Whether times belong to it."""
    return shape.trace_id != NONE
