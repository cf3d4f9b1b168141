"""Traces as text: `time id size` in each line, separated by spaces or tabs; empty lines and lines with # are passed over.

Times are numbers and not used, so they may run backwards; ids are whole numbers below 2^64; sizes are in bytes, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from nodes.edge.simulator.requests import Chunk, TraceError

READ_BYTES = 4 * 1024 * 1024
MOST_BYTES_OF_A_LINE = 1024

_MOST, _MOST_BYTES = (1 << 64) - 1, (1 << 63) - 1

_BLANK, _DIGIT, _NEWLINE, _OTHER = range(4)
_KINDS = np.full(256, _OTHER, np.uint8)
_KINDS[[ord(char) for char in " \t\r"]] = _BLANK
_KINDS[[ord(char) for char in "0123456789."]] = _DIGIT
_KINDS[ord("\n")] = _NEWLINE


def read(file: BinaryIO) -> Iterator[Chunk]:
    """The requests of a trace. Raises TraceError."""
    rest, line = b"", 1
    while data := file.read(READ_BYTES):
        whole, newline, rest = (rest + data).rpartition(b"\n")
        if len(rest) > MOST_BYTES_OF_A_LINE:
            raise TraceError(f"line {line + (whole + newline).count(10)}: it is longer than {MOST_BYTES_OF_A_LINE} bytes")
        if newline:
            yield _chunk(whole + newline, line)
            line += whole.count(b"\n") + 1
    if rest:
        yield _chunk(rest + b"\n", line)


def _chunk(data: bytes, first_line: int) -> Chunk:
    if not _regular(data):
        return _by_line(data, first_line)
    if b"." in data:
        return _by_words(data, first_line)  # times with fractions
    columns = np.fromstring(data, np.uint64, sep=" ").reshape(-1, 3)
    keys, sizes = columns[:, 1], columns[:, 2]
    if keys.max() == _MOST or sizes.max() > _MOST_BYTES:
        return _by_line(data, first_line)  # numpy takes what is too large for the largest
    return Chunk(keys.tolist(), sizes.tolist())


def _by_words(data: bytes, first_line: int) -> Chunk:
    words = data.split()
    try:
        list(map(float, words[::3]))
        keys, sizes = list(map(int, words[1::3])), list(map(int, words[2::3]))
    except ValueError:
        return _by_line(data, first_line)  # which says where
    return _by_line(data, first_line) if max(keys) > _MOST or max(sizes) > _MOST_BYTES else Chunk(keys, sizes)


def _regular(data: bytes) -> bool:
    """Whether every line is three words of digits and points, as nearly all are; one look at each byte, by numpy."""
    kinds = _KINDS[np.frombuffer(data, np.uint8)]
    if (kinds == _OTHER).any():
        return False
    inside = kinds == _DIGIT
    begins = inside.copy()
    begins[1:] &= ~inside[:-1]
    ends = np.flatnonzero(kinds == _NEWLINE)
    counts = np.diff(np.cumsum(begins, dtype=np.int64)[ends], prepend=0)
    return bool((counts == 3).all())


def _by_line(data: bytes, first_line: int) -> Chunk:
    keys, sizes = [], []
    for number, line in enumerate(data.split(b"\n")[:-1], start=first_line):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        try:
            if len(words) != 3:
                raise ValueError(f"it has {len(words)} words; a request is: time id size")
            _number("time", words[0], float)
            keys.append(_number("id", words[1], int, 1 << 64))
            sizes.append(_number("size", words[2], int, 1 << 63))
        except ValueError as error:
            raise TraceError(f"line {number}: {error}") from error
    return Chunk(keys, sizes)


def _number(what: str, word: bytes, kind: type, end: int | None = None) -> int:
    text = word.decode("ascii", "backslashreplace")
    try:
        value: int = kind(text)
    except ValueError:
        raise ValueError(f"the {what} '{text}' is no {'whole ' if kind is int else ''}number") from None
    if end is not None and not 0 <= value < end:
        raise ValueError(f"the {what} {text} is not from 0 to 2^{end.bit_length() - 1} - 1")
    return value
