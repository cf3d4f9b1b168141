"""The access log: one JSON object a line, one line a request, written in batches of whole lines.

It does not rotate. A batch is at most about 64 KiB and, with `flush` called by the server, at most 0.2 s late.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from nodes.http.failure import Failure

if TYPE_CHECKING:
    from nodes.http.prepared import Prepared

BATCH_LINES = 160
LATE_S = 0.2
ENGINE = "longhaul"


class AccessLog:
    """Appends records to a file, or discards them when the path is None. `constant` stands in every record."""

    def __init__(self, path: str | None) -> None:
        self._fd: int | None = None
        self.lines: list[str] = []
        self.constant: dict[str, Any] = {}
        self.opening = "{"
        """How every record begins."""
        self._torn = False
        if path is None:
            return
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise Failure(f"write the log {path}", cause, "choose another file with --log") from error

    @property
    def open(self) -> bool:
        """Whether records are kept."""
        return self._fd is not None

    def name(self, node: str, worker: int | None) -> None:
        """What every record says of its writer."""
        self.constant = {"node": node, "engine": ENGINE}
        if worker is not None:
            self.constant["worker"] = worker
        self.opening = json.dumps(self.constant, separators=(",", ":"))[:-1] + ","

    def add(self, record: dict[str, Any]) -> None:
        """One record for the next batch."""
        if self._fd is not None:
            self.lines.append(json.dumps(self.constant | record, separators=(",", ":")) + "\n")

    def beginning(self, answer: Prepared) -> str:
        """What the records of a prepared answer have in common, up to the client's part; kept in the answer."""
        same = {
            **self.constant, "method": answer.method, "target": answer.target, "status": answer.status,
            "bytes": answer.body_bytes, "result": answer.result, "cache_status": answer.cache_status,
            "upstream_ms": None, "finished": True,
        }  # fmt: skip
        if answer.steered is not None:
            same["steered"] = answer.steered.as_dict()
        answer.log = json.dumps(same, separators=(",", ":"))[:-1] + ","
        return answer.log

    def flush(self) -> int:
        """Write what is there; gives how many records the disk did not take."""
        lines, self.lines[:] = self.lines[:], []
        if self._fd is None or not lines:
            return 0
        data = "".join(lines).encode()
        if self._torn:
            data = b"\n" + data
        try:
            written = os.write(self._fd, data)
        except OSError:
            return len(lines)
        self._torn = written < len(data) and data[written - 1 : written] != b"\n"
        return data.count(b"\n", written)

    def close(self) -> None:
        """No more records."""
        if self._fd is not None:
            self.flush()
            os.close(self._fd)
            self._fd = None
