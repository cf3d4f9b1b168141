"""memcached's meta commands: requests as bytes, answers from bytes (doc/protocol.txt, "Meta Commands", 1.6.18).

It reads no socket. What is not exactly an answer is Garbage: behind it nothing on that connection can be trusted.
"""

from __future__ import annotations

from typing import NamedTuple

LONGEST_LINE_BYTES = 2048
LARGEST_ITEM_BYTES = 128 * 2**20
HELD, MISSED, VALUE, NOT_STORED, EXISTS, NOT_FOUND, ALIVE = b"HD", b"EN", b"VA", b"NS", b"EX", b"NF", b"MN"
REFUSED = b"SE"
"""Ours, for a SERVER_ERROR: the command was understood and could not be done."""
_PLAIN = frozenset((HELD, MISSED, NOT_STORED, EXISTS, NOT_FOUND, ALIVE))
_NUMBERED = frozenset((b"c", b"t", b"s"))


class Garbage(ValueError):
    """What came is no answer."""


class Answer(NamedTuple):
    """A code of two letters, the return flags in their order, and the value behind VA."""

    code: bytes
    flags: tuple[bytes, ...]
    value: bytes | None = None

    def number(self, flag: bytes) -> int | None:
        """The number of a flag such as `c5`, or None."""
        for one in self.flags:
            if one[:1] == flag:
                return int(one[1:])
        return None

    @property
    def won(self) -> bool:
        """W: whoever gets it is to make the value anew."""
        return b"W" in self.flags

    @property
    def being_made(self) -> bool:
        """Z: somebody else has won already."""
        return b"Z" in self.flags

    @property
    def stale(self) -> bool:
        """X: it was marked stale."""
        return b"X" in self.flags


def get(key: bytes, flags: bytes) -> bytes:
    """`mg`; flags such as `v c t N5 R3`."""
    return b"mg %b %b\r\n" % (key, flags)


def put(key: bytes, value: bytes, flags: bytes) -> bytes:
    """`ms`; flags such as `T60 C5 c`, or `T60 ME` to store only what is absent."""
    return b"ms %b %d %b\r\n%b\r\n" % (key, len(value), flags, value)


def append(key: bytes, value: bytes, flags: bytes) -> bytes:
    """`ms ... MA`; flags such as `C5 c`. It keeps the time to live. What is on an SSD is not appended to: NS."""
    return b"ms %b %d MA %b\r\n%b\r\n" % (key, len(value), flags, value)


def delete(key: bytes, flags: bytes = b"") -> bytes:
    """`md`; flags such as `C5`, or `I T30` to mark it stale."""
    return b"md %b %b\r\n" % (key, flags)


class Reader:
    """Feed it what came; it gives the answers that are whole."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._needed = 0
        self.waiting_bytes = 0
        """How much of an answer is here that is not whole."""

    def feed(self, data: bytes) -> list[Answer]:
        """Raises Garbage; then feed it no more."""
        if self._parts:
            self._parts.append(data)
            self.waiting_bytes += len(data)
            if self.waiting_bytes < self._needed:
                return []
            data = b"".join(self._parts)
        answers: list[Answer] = []
        at, end, self._needed = 0, len(data), 0
        while at < end:
            stop = data.find(b"\r\n", at, at + LONGEST_LINE_BYTES)
            if stop < 0:
                if end - at >= LONGEST_LINE_BYTES or b"\n" in data[at:]:
                    raise Garbage(f"a line begins with {data[at : at + 40]!r} and does not end")
                break
            words = data[at:stop].split(b" ")
            code = words[0]
            if code == VALUE:
                size = _size(words)
                last = stop + 2 + size
                if end < last + 2:
                    self._needed = last + 2 - at
                    break
                if data[last : last + 2] != b"\r\n":
                    raise Garbage(f"a value of {size} bytes ends with {data[last : last + 2]!r}")
                answers.append(Answer(VALUE, _flags(words[2:]), data[stop + 2 : last]))
                at = last + 2
                continue
            if code in _PLAIN:
                answers.append(Answer(code, _flags(words[1:])))
            elif code == b"SERVER_ERROR":
                answers.append(Answer(REFUSED, (data[at + len(code) + 1 : stop],)))
            else:  # CLIENT_ERROR and ERROR too: we send nothing that deserves them, so the stream is out of step
                raise Garbage(f"the line {data[at : min(stop, at + 60)]!r} is no answer")
            at = stop + 2
        self._parts = [data[at:]] if at < end else []
        self.waiting_bytes = end - at
        return answers


def _flags(words: list[bytes]) -> tuple[bytes, ...]:
    """Raises Garbage for one that must have a number and has none."""
    for one in words:
        if one[:1] in _NUMBERED and not one[1:].removeprefix(b"-").isdigit():
            raise Garbage(f"the flag {one[:40]!r} has no number")
    return tuple(words)


def _size(words: list[bytes]) -> int:
    text = words[1] if len(words) > 1 else b""
    if not text.isdigit() or len(text) > 10 or int(text) > LARGEST_ITEM_BYTES:
        raise Garbage(f"VA is followed by {text[:40]!r}, which is no size")
    return int(text)
