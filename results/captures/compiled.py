"""The core in C, used through ctypes: the same columns as the reference in numpy, a packet at a time. It decides nothing.

Every function here has a twin in the file that its docstring names, which serves where the core is not built; a test holds
both equal. ctypes lets go of Python's lock, so two threads run at once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from ctypes import POINTER, byref, c_bool, c_int64, c_uint64, c_void_p
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cores import CAPTURES
from results.captures.columns import TYPES, Packets
from results.captures.memory import Memory
from results.captures.records import Frames

if TYPE_CHECKING:
    from results.captures.boundaries import Shape

_SACKS: dict[str, Any] = {"sack_row": np.int64, "sack_left": np.uint32, "sack_right": np.uint32}
_TYPES = TYPES | _SACKS
_ENDPOINTS = ("source_high", "source_low", "destination_high", "destination_low", "source_port", "destination_port")


class _Columns(ctypes.Structure):
    """`struct packets`."""

    _fields_ = [(name, c_void_p) for name in _TYPES]


class _Shape(ctypes.Structure):
    """`struct shape`."""

    _fields_ = [(name, c_int64) for name in ("big", "base", "where", "header_bytes", "words", "tail")]


class _Frames(ctypes.Structure):
    """`struct frames`."""

    _fields_ = [*((name, c_void_p) for name in ("at", "time_ns", "captured", "wire", "interface")),
                ("rows", c_int64), ("first", c_int64)]  # fmt: skip


@cache
def core() -> Any:
    """The library with the types of its functions; None where it is not built."""
    path, _ = CAPTURES.find()
    if not path:
        return None
    library, number, array = ctypes.CDLL(path), c_int64, c_void_p
    for name, result, *arguments in (
        ("walk", number, array, number, number, POINTER(_Shape), number, array, array, POINTER(number)),
        ("headers", number, array, number, POINTER(_Frames), array, POINTER(_Columns)),
        ("apart", None, POINTER(_Columns), number, array, number, array, array, array, array),
        ("pack", None, number, array, array, number, array, array, number),
        ("unpack", None, number, array, array, number, array, number),
        ("streams", number, POINTER(_Columns), number, array, c_bool, c_uint64, array, array, array, array, array, array),
        ("follow", c_bool, POINTER(_Columns), number, number, array, array, number, array, c_uint64, c_void_p),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def address(array: Any) -> int:
    """Of an array that lies in one piece."""
    return int(array.__array_interface__["data"][0])


def seed() -> int:
    """So that nobody can make a capture whose hashes are all the same."""
    return int.from_bytes(os.urandom(8), "little")


def columns(packets: Packets, names: Iterable[str]) -> tuple[_Columns, list[Any]]:
    """Where some columns lie, and the arrays that must live as long as that is used."""
    kept = {name: np.ascontiguousarray(getattr(packets, name), _TYPES[name]) for name in names}
    return _Columns(**{name: address(one) for name, one in kept.items()}), list(kept.values())


def _data(data: bytearray) -> int:
    return address(np.frombuffer(data, np.uint8))


def walk(
    library: Any, data: bytearray, start: int, end: int, shape: Shape, smallest: int, memory: Memory
) -> tuple[Any, int, Any]:
    """`boundaries.walk`; no record is shorter than `smallest`."""
    room, columns = max(0, end - start) // smallest + 1, shape.words + shape.tail
    out = memory.arrays({"at": (room, np.int64), "words": (columns * room, np.uint32)})
    wanted, after = _Shape(shape.order == ">", shape.base, shape.where, shape.header_bytes, shape.words, shape.tail), c_int64()
    count = library.walk(_data(data), start, end, byref(wanted), room, address(out["at"]), address(out["words"]), byref(after))
    return out["at"][:count], after.value, list(out["words"].reshape(columns, room)[:, :count])


def headers(library: Any, frames: Frames, linktypes: list[int], memory: Memory) -> Packets:
    """`layers.dissect`."""
    rows = len(frames.at)
    out = memory.arrays({name: (4 * rows if name in _SACKS else rows, kind) for name, kind in _TYPES.items()})
    kept = [np.ascontiguousarray(array, kind) for array, kind in (
        (frames.at, np.int64), (frames.time_ns, np.int64), (frames.captured, np.uint32), (frames.wire, np.uint32),
        (frames.interface, np.uint32), (linktypes, np.int64))]  # fmt: skip
    given, into = _Frames(*map(address, kept[:5]), rows, frames.first), _Columns(*map(address, out.values()))
    blocks = library.headers(_data(frames.data), len(frames.data), byref(given), address(kept[5]), byref(into))
    return Packets(**{name: array[:blocks] if name in _SACKS else array for name, array in out.items()})


def streams(library: Any, packets: Packets, rows: Any, apart: bool, memory: Memory) -> tuple[Any, Any, Any, Any]:
    """`streams.streams`: order, begins, number and reverse."""
    kinds = {"scratch": np.int32, "scratch_reverse": np.uint8, "order": np.int64, "begins": np.int64, "number": np.int64,
             "reverse": np.bool_}  # fmt: skip
    out = memory.arrays({name: (len(rows), kind) for name, kind in kinds.items()})
    where, kept = columns(packets, (*_ENDPOINTS, "interface", "flags", "seq"))
    found = library.streams(byref(where), len(rows), address(rows), apart, seed(), *map(address, out.values()))
    del kept
    if found < 0:
        raise MemoryError
    return out["order"], out["begins"][:found], out["number"], out["reverse"]


def apart(library: Any, packets: Packets, chosen: Any, parts: int) -> tuple[Any, Any, Any]:
    """`spool._apart`."""
    order, ends, scratch = np.empty(len(chosen), np.int64), np.empty(parts, np.int64), np.empty(len(chosen), np.uint16)
    place = np.empty(len(packets), np.int32)
    where, kept = columns(packets, _ENDPOINTS)
    library.apart(byref(where), len(chosen), address(chosen), parts, *map(address, (scratch, order, ends, place)))
    del kept
    return order, ends, place


def pack(library: Any, packets: Packets, order: Any, rows: Any) -> None:
    """`spool.pack`: fill the rows."""
    kept = [np.ascontiguousarray(getattr(packets, name), rows.dtype[name]) for name in rows.dtype.names]
    where, widths = _widths(kept)
    library.pack(len(kept), where, widths, len(order), address(order), address(rows), rows.itemsize)


def unpack(library: Any, rows: Any, into: dict[str, Any]) -> None:
    """`spool.unpack` of one piece: fill the columns, one for each of the rows' own."""
    where, widths = _widths([into[name] for name in rows.dtype.names])
    library.unpack(len(into), where, widths, len(rows), address(rows), rows.itemsize)


def _widths(arrays: list[Any]) -> tuple[Any, Any]:
    """Where arrays begin, and how wide their entries are, for C."""
    number = len(arrays)
    return (c_void_p * number)(*map(address, arrays)), (c_int64 * number)(*(one.itemsize for one in arrays))
