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
from typing import Any

import numpy as np

from cores import CAPTURES
from results.captures.columns import TYPES, Packets
from results.captures.records import Frames

_SACKS: dict[str, Any] = {"sack_row": np.int64, "sack_left": np.uint32, "sack_right": np.uint32}
_TYPES = TYPES | _SACKS
_ENDPOINTS = ("source_high", "source_low", "destination_high", "destination_low", "source_port", "destination_port")


class _Columns(ctypes.Structure):
    """`struct packets`."""

    _fields_ = [(name, c_void_p) for name in _TYPES]


@cache
def core() -> Any:
    """The library with the types of its functions; None where it is not built."""
    path, _ = CAPTURES.find()
    if not path:
        return None
    library, number, array = ctypes.CDLL(path), c_int64, c_void_p
    for name, result, *arguments in (
        ("walk", number, array, number, number, c_bool, number, number, number, array, POINTER(number)),
        ("headers", number, array, number, number, array, array, array, array, array, POINTER(_Columns)),
        ("apart", None, POINTER(_Columns), number, array, number, array, array, array),
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


def walk(library: Any, data: bytearray, start: int, end: int, order: str, base: int, where: int, header_bytes: int,
         smallest: int) -> tuple[Any, int]:  # fmt: skip
    """`boundaries.walk`; no record is shorter than `smallest`."""
    found, after = np.empty(max(0, end - start) // smallest + 1, np.int64), c_int64()
    count = library.walk(_data(data), start, end, order == ">", base, where, header_bytes, address(found), byref(after))
    return found[:count], after.value


def headers(library: Any, frames: Frames, linktypes: list[int], found: Packets) -> None:
    """`layers.columns`: fill what comes from the frames' bytes."""
    rows = len(frames.at)
    found.sack_row = np.empty(4 * rows, np.int64)
    found.sack_left, found.sack_right = np.empty(4 * rows, np.uint32), np.empty(4 * rows, np.uint32)
    kinds = np.array(linktypes, np.int64)
    into = _Columns(*(address(getattr(found, name)) for name in _TYPES))
    blocks = library.headers(_data(frames.data), len(frames.data), rows, address(frames.at), address(frames.captured),
                             address(frames.wire), address(frames.interface), address(kinds), byref(into))  # fmt: skip
    for name in _SACKS:
        setattr(found, name, getattr(found, name)[:blocks].copy())


def streams(library: Any, packets: Packets, rows: Any, apart: bool) -> tuple[Any, Any, Any, Any]:
    """`streams.streams`: order, begins, number and reverse."""
    count = len(rows)
    order, begins, number = (np.empty(count, np.int64) for _ in range(3))
    reverse, scratch, scratch_reverse = np.empty(count, np.bool_), np.empty(count, np.int32), np.empty(count, np.uint8)
    where, kept = columns(packets, (*_ENDPOINTS, "interface", "flags", "seq"))
    found = library.streams(byref(where), count, address(rows), apart, seed(), *map(
        address, (scratch, scratch_reverse, order, begins, number, reverse)))  # fmt: skip
    del kept
    if found < 0:
        raise MemoryError
    return order, begins[:found].copy(), number, reverse


def apart(library: Any, packets: Packets, chosen: Any, parts: int) -> tuple[Any, Any]:
    """`spool._apart`."""
    order, sizes, scratch = np.empty(len(chosen), np.int64), np.empty(parts, np.int64), np.empty(len(chosen), np.uint8)
    where, kept = columns(packets, _ENDPOINTS)
    library.apart(byref(where), len(chosen), address(chosen), parts, *map(address, (scratch, order, sizes)))
    del kept
    return order, sizes


def pack(library: Any, packets: Packets, order: Any, rows: Any) -> None:
    """`spool.pack`: fill the rows."""
    kept = [np.ascontiguousarray(getattr(packets, name), rows.dtype[name]) for name in rows.dtype.names]
    where, widths = _widths(kept)
    library.pack(len(kept), where, widths, len(order), address(order), address(rows), rows.itemsize)


def unpack(library: Any, rows: Any) -> dict[str, Any]:
    """`spool.unpack`: the columns."""
    found = {name: np.empty(len(rows), rows.dtype[name]) for name in rows.dtype.names}
    where, widths = _widths(list(found.values()))
    library.unpack(len(found), where, widths, len(rows), address(rows), rows.itemsize)
    return found


def _widths(arrays: list[Any]) -> tuple[Any, Any]:
    """Where arrays begin, and how wide their entries are, for C."""
    number = len(arrays)
    return (c_void_p * number)(*map(address, arrays)), (c_int64 * number)(*(one.itemsize for one in arrays))
