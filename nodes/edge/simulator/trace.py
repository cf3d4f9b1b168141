"""A trace in a file: what it is, plain or compressed, and how far it has been read. It does not simulate.

Compression is known by its first bytes: gzip by the standard library, zstd by the `zstd` command, which is not needed
otherwise. Without a format given, text is what has no byte that text has not.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from nodes.edge.simulator import oracle_general, text
from nodes.edge.simulator.requests import Chunk, TraceError

FORMATS = {"text": text.read, "oracle-general": oracle_general.read}

_TEXT = frozenset(b"\t\n\r") | frozenset(range(32, 127))


class Trace:
    """Iterate it once for its chunks. Raises TraceError when the file cannot be read or is malformed."""

    def __init__(self, path: Path, kind: str | None = None) -> None:
        self._path, self._kind = path, kind
        self._raw: io.FileIO | None = None
        self._unpacker: subprocess.Popen[bytes] | None = None

    @property
    def fraction(self) -> float:
        """How much of the file has been read, 0 to 1."""
        if self._raw is None or self._raw.closed:
            return 1.0
        # the descriptor's own place: a decompressing process shares it
        return os.lseek(self._raw.fileno(), 0, os.SEEK_CUR) / max(1, os.fstat(self._raw.fileno()).st_size)

    def __iter__(self) -> Iterator[Chunk]:
        try:
            with open(self._path, "rb", buffering=0) as raw:
                self._raw = raw
                file = self._unpacked(raw.read(4))
                with file:
                    yield from FORMATS[self._kind or _guess(file)](file)
                self._finish()
        except (OSError, EOFError, zlib.error) as error:
            raise TraceError((getattr(error, "strerror", None) or str(error)).lower()) from error
        finally:
            if self._unpacker is not None and self._unpacker.poll() is None:
                self._unpacker.kill()
                self._unpacker.wait()

    def _unpacked(self, magic: bytes) -> BinaryIO:
        assert self._raw is not None
        self._raw.seek(0)
        if magic.startswith(b"\x1f\x8b"):
            return cast("BinaryIO", gzip.GzipFile(fileobj=self._raw))
        if magic != b"\x28\xb5\x2f\xfd":
            return io.BufferedReader(self._raw, 1 << 20)
        if shutil.which("zstd") is None:
            raise TraceError("it is compressed by zstd, and the zstd command is not on this machine; install it, or unpack "
                             "the trace first")  # fmt: skip
        self._unpacker = subprocess.Popen(["zstd", "-dcq"], stdin=self._raw, stdout=subprocess.PIPE,
                                          stderr=subprocess.DEVNULL)  # fmt: skip
        assert self._unpacker.stdout is not None
        return cast("BinaryIO", self._unpacker.stdout)

    def _finish(self) -> None:
        if self._unpacker is not None and self._unpacker.wait() != 0:
            raise TraceError("zstd could not unpack it")


def _guess(file: BinaryIO) -> str:
    """The format, by a look ahead."""
    first = file.peek(4096)[:4096]  # type: ignore[attr-defined]  # all three kinds of files have it
    return "text" if set(first) <= _TEXT else "oracle-general"
