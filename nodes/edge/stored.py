"""A stored response as all parts of the edge see it: what was asked, what came, when, and which bytes are kept.

It is a value: it neither reads the disk (`store/` does) nor decides whether it may be used (`caching/` does).
"""

from __future__ import annotations

from dataclasses import dataclass

from nodes.http.message import Fields

FIXED_BYTES = 600
"""Of one variant in memory, and of one field 120: what Python needs besides the text."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that are kept without a gap: `length` of them from `start`, with the digest they had when they came."""

    start: int
    length: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """One variant. Times are seconds since 1970.

    `primary` is the cache key of the resource, `key` that of this variant of it; `uri` is the effective request URI.
    `vary` holds the request's fields that Vary names, lower case, with the normalised values that chose this variant.
    `size_bytes` is the length of the whole representation, None while only a part of unknown whole is kept.
    `parts` are in order and do not overlap; together they may be less than the whole (RFC 9111, section 3.3).
    """

    key: str
    primary: str
    uri: str
    method: str
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    vary: tuple[tuple[str, str], ...]
    requested_s: float
    received_s: float
    size_bytes: int | None
    parts: tuple[Part, ...]

    @property
    def headers(self) -> Fields:
        """The response's fields, in the order in which they came."""
        return Fields(self.fields)

    @property
    def complete(self) -> bool:
        """Whether every byte of the representation is kept."""
        end = 0
        for part in self.parts:
            if part.start != end:
                return False
            end += part.length
        return self.size_bytes == end

    @property
    def weight_bytes(self) -> int:
        """The memory that it takes, about: its texts, and what Python adds to each."""
        text = len(self.key) + len(self.primary) + len(self.uri) + len(self.reason)
        pairs = (*self.fields, *self.vary)
        return FIXED_BYTES + text + sum(120 + len(name) + len(value) for name, value in pairs) + 150 * len(self.parts)
