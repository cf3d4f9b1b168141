"""What was sent, by title, from the access logs of edges: read where it was left off, whole lines only.

It smooths nothing. What other edges fetched in a night is no play: whoever had them do it says so with `not_played`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


class Streamed:
    """Logs by edge."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._logs = dict(logs)
        self._others: dict[tuple[str, str], int] = {}
        self._places = dict.fromkeys(logs, 0)
        self.unread: dict[str, str] = {}
        """Edges whose logs could not be read when last tried, and why."""

    def not_played(self, edge: str, title: str, size_bytes: int) -> None:
        """So much of what an edge sent was a copy for another edge."""
        self._others[edge, title] = self._others.get((edge, title), 0) + size_bytes

    def take(self) -> dict[str, dict[str, int]]:
        """Bytes by title and by edge since the last call."""
        found: dict[str, dict[str, int]] = {}
        self.unread = {}
        for edge, path in self._logs.items():
            try:
                text = self._new(edge, path)
            except OSError as error:
                self.unread[edge] = (error.strerror or str(error)).lower()
                continue
            sums = found.setdefault(edge, {})
            for line in text.splitlines():
                title, size_bytes = self._play(line)
                if size_bytes:
                    sums[title] = sums.get(title, 0) + size_bytes
            for title in sums:
                copied = min(sums[title], self._others.pop((edge, title), 0))
                sums[title] -= copied
        return found

    def _new(self, edge: str, path: Path) -> str:
        with path.open("rb") as file:
            if file.seek(0, 2) < self._places[edge]:
                self._places[edge] = 0  # it was begun anew
            file.seek(self._places[edge])
            whole, newline, _ = file.read().rpartition(b"\n")
        self._places[edge] += len(whole) + len(newline)
        return whole.decode("utf-8", "replace")

    def _play(self, line: str) -> tuple[str, int]:
        """The title and bytes of a record; 0 for what is no play."""
        try:
            said = json.loads(line)
            title, size_bytes = said["target"], said["bytes"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return "", 0
        sent = isinstance(title, str) and title.startswith("/") and not title.startswith("/-/")
        if not sent or said.get("status") not in (200, 206) or said.get("method") != "GET":
            return "", 0
        return title, size_bytes if isinstance(size_bytes, int) else 0
