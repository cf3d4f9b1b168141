"""The bytes of a capture in order: a file, a pipe or standard input (`-`), plain, gzip or Zstandard. It reads no packet.

What is compressed is known by its first bytes, not by its name. Raises CaptureError, and TruncatedCapture where the
compressed stream ends early.
"""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from results.captures.errors import CaptureError, TruncatedCapture

GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

_PIECE = 1 << 11
"""Bytes unpacked at once: Zstandard may make them 32,000 times as many, and memory is to stay flat."""


class Source:
    """Fills buffers from an open stream."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self.name = stream, name
        self.failure: CaptureError | None = None

    def fill(self, target: memoryview) -> int:
        """Read until `target` is full or the stream ends; the number of bytes read. Why it ended early is `failure`."""
        done = 0
        try:
            while done < len(target):
                count = self._stream.readinto(target[done:])  # type: ignore[attr-defined]
                if not count:
                    break
                done += count
        except EOFError:
            self.failure = TruncatedCapture(f"could not read {self.name}: its compressed stream ends early; copy it again")
        except _damage() as error:
            self.failure = CaptureError(f"could not read {self.name}: it does not decompress ({error}); copy it again")
        except OSError as error:
            self.failure = CaptureError(f"could not read {self.name}: {error.strerror or error}; check the disk it is on")
        return done


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The bytes of `path`; `-` is standard input. Raises CaptureError."""
    name = "standard input" if str(path) == "-" else path.name
    try:
        raw = cast(BinaryIO, sys.stdin.buffer if str(path) == "-" else path.open("rb"))
    except OSError as error:
        raise CaptureError(f"could not read {path}: {error.strerror}; check the path and its permissions") from error
    with raw:
        buffered: Any = io.BufferedReader(cast(io.RawIOBase, raw), 1 << 20)
        try:
            magic = buffered.peek(4)[:4]
        except OSError as error:
            raise CaptureError(f"could not read {path}: {error.strerror}; give a pcap or pcapng file") from error
        yield Source(_plain(buffered, magic), name)


def _plain(stream: Any, magic: bytes) -> BinaryIO:
    if magic[:2] == GZIP:
        return cast(BinaryIO, _Unpacked(lambda: zlib.decompressobj(31), stream))
    if magic == ZSTANDARD:
        import zstandard  # only where it is needed: importing it takes 20 ms

        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        return cast(BinaryIO, _Unpacked(decompressor.decompressobj, stream))
    return cast(BinaryIO, stream)


class _Unpacked:
    """A compressed stream. Members or frames that follow each other are one, as `gzip -d` and `zstd -d` take them; an end
    within one is an error, where the libraries' own file objects end silently or keep back what they had."""

    def __init__(self, begin: Callable[[], Any], stream: Any) -> None:
        self._begin, self._stream = begin, stream
        self._frame: Any = None
        self._ready = memoryview(b"")

    def readinto(self, target: memoryview) -> int:
        """Some bytes, 0 at the end. Raises EOFError when the last frame is not whole."""
        while not self._ready:
            data = self._stream.read(_PIECE)
            if not data:
                if self._frame is not None:
                    raise EOFError
                return 0
            self._ready = memoryview(self._decompress(data))
        count = min(len(target), len(self._ready))
        target[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _decompress(self, data: bytes) -> bytes:
        out = []
        while data:
            frame = self._frame or self._begin()
            out.append(frame.decompress(data))
            self._frame, data = (None, frame.unused_data) if frame.eof else (frame, b"")
        return b"".join(out)


def _damage() -> tuple[type[Exception], ...]:
    module = sys.modules.get("zstandard")
    return (zlib.error, module.ZstdError) if module else (zlib.error,)
