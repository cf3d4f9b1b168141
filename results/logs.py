"""The logs of a run: `logs/*.jsonl`, one record a line, as every node wrote them. It joins nothing; `why.py` does.

All nodes of a lab share one clock, so times of several logs can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Record:
    """A line of a node's log. `ended_ns` and `began_ns` (ns since 1970) are when what it tells of ended and began; `where` is
    its file and line."""

    node: str
    ended_ns: int
    said: Mapping[str, Any]
    where: str

    @property
    def took_ms(self) -> float:
        """How long it took; 0 where that was not said."""
        value = self.said.get("duration_ms")
        return float(value) if isinstance(value, int | float) else 0.0

    @property
    def began_ns(self) -> int:
        """When it began."""
        return self.ended_ns - round(self.took_ms * 1e6)

    def during(self, began_ns: float, ended_ns: float, slack_ns: float = 0) -> bool:
        """Whether all of it lies between two moments."""
        return began_ns - slack_ns <= self.began_ns and self.ended_ns <= ended_ns + slack_ns


@dataclass(frozen=True)
class Logs:
    """All records, and how many lines of which file were none: the last one of a daemon that was killed is often torn."""

    records: tuple[Record, ...]
    broken: Mapping[str, int]


def read(folder: Path) -> Logs:
    """Every record of a folder. Raises OSError when one of its files cannot be read."""
    found: list[Record] = []
    broken: dict[str, int] = {}
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for one in _records(path, lines):
                if one is None:
                    broken[path.name] = broken.get(path.name, 0) + 1
                else:
                    found.append(one)
    return Logs(tuple(found), broken)


def _records(path: Path, lines: Iterator[str]) -> Iterator[Record | None]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            yield Record(str(said.get("node") or path.stem), int(said["ts_ns"]), said, f"{path.name}, line {number}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield None
