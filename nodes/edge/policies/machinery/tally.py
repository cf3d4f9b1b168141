"""What a replay of requests came to. It only counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Tally:
    """Counts of objects and bytes; `stored_bytes` is what was written to the disk."""

    requests: int = 0
    requested_bytes: int = 0
    hits: int = 0
    hit_bytes: int = 0
    stored: int = 0
    stored_bytes: int = 0
    evicted: int = 0
    too_large: int = 0

    @property
    def object_hit_ratio(self) -> float:
        """Hits among requests."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def byte_hit_ratio(self) -> float:
        """Bytes of hits among bytes requested."""
        return self.hit_bytes / self.requested_bytes if self.requested_bytes else 0.0
