"""The access log: one JSON object a line, one line a request, each written whole.

It neither rotates nor buffers: a record is on its way to the disk before the next request is read.
"""

from __future__ import annotations

import json
import os
from typing import Any

from nodes.http.failure import Failure


class AccessLog:
    """Appends records to a file, or discards them when the path is None."""

    def __init__(self, path: str | None) -> None:
        self._fd: int | None = None
        if path is None:
            return
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise Failure(f"write the log {path}", cause, "choose another file with --log") from error

    def write(self, record: dict[str, Any]) -> bool:
        """Append one record; False when the disk did not take it whole (the caller counts that)."""
        if self._fd is None:
            return True
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        try:
            return os.write(self._fd, line) == len(line)
        except OSError:
            return False

    def close(self) -> None:
        """No more records."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
