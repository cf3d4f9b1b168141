"""Standard output that fails in words: a full disk or a closed descriptor gives no traceback. It formats nothing."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class OutputError(Exception):
    """What was to be printed could not be; the message is for the user, and empty when the reader just went away."""


class Output(io.RawIOBase):
    """A descriptor to write to. After its first failure nothing more is written: that was said once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._fd)

    def write(self, data: Any, /) -> int:
        """Write some of it. Raises OutputError."""
        try:
            return os.write(self._fd, data)
        except BrokenPipeError:
            self._end()
            raise OutputError("") from None
        except OSError as error:
            self._end()
            raise OutputError(f"could not print: {error.strerror}; free space, or print elsewhere") from None

    def _end(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._fd)
        os.close(nowhere)


def prepare() -> None:
    """Make standard output fail in words, and give closed standard descriptors a place: the next file opened would take it."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free descriptor: this one
    sys.stdout, sys.stderr = _text(1, sys.stdout), _text(2, sys.stderr)


def _text(fd: int, stream: TextIO | None) -> TextIO:
    if stream is None:
        return os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    if fd == 2:
        return stream
    return io.TextIOWrapper(io.BufferedWriter(Output(fd)), encoding=stream.encoding, errors=stream.errors,
                            line_buffering=os.isatty(fd))  # fmt: skip
