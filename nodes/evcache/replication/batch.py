"""A batch of rows on its way between regions, as bytes: for each a line of JSON, then its value. It sends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from nodes.evcache.keys import checked
from nodes.evcache.packing import LARGEST_VALUE_BYTES

MOST_ROWS = 1024
LONGEST_TTL_S = 1e9
_LONGEST_LINE_BYTES = 2048


class Row(NamedTuple):
    """`value` is None for a row that was deleted; `ttl_s` is None where nobody said one."""

    key: str
    version: int
    ttl_s: float | None
    value: bytes | None


def encoded(rows: Iterable[Row]) -> bytes:
    """The bytes of a batch."""
    parts = []
    for row in rows:
        size = None if row.value is None else len(row.value)
        head = {"key": row.key, "version": row.version, "ttl_s": row.ttl_s, "bytes": size}
        parts += [json.dumps(head).encode(), b"\n", row.value or b""]
    return b"".join(parts)


def decoded(data: bytes) -> list[Row]:
    """Raises ValueError, which says which row is wrong and why; BadKey is one."""
    rows: list[Row] = []
    at = 0
    while at < len(data):
        if len(rows) == MOST_ROWS:
            raise ValueError(f"there are more than {MOST_ROWS} rows")
        end = data.find(b"\n", at, at + _LONGEST_LINE_BYTES)
        if end < 0:
            raise ValueError(f"row {len(rows) + 1} has no line of at most {_LONGEST_LINE_BYTES} bytes")
        key, version, ttl_s, size = _head(data[at:end], len(rows) + 1)
        at = end + 1 + (size or 0)
        if at > len(data):
            raise ValueError(f"row {len(rows) + 1} has {len(data) - end - 1} of {size} bytes")
        rows.append(Row(key, version, ttl_s, None if size is None else data[end + 1 : at]))
    return rows


def _head(line: bytes, number: int) -> tuple[str, int, float | None, int | None]:
    try:
        said = json.loads(line)
        key, version, ttl_s, size = said["key"], said["version"], said["ttl_s"], said["bytes"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"row {number} has no head: {error!r}") from error
    if not isinstance(key, str):
        raise ValueError(f"row {number} has no key")
    checked(key)
    if not _whole(version) or not 0 < version < 2**63:
        raise ValueError(f"row {number}: {version!r} is no version")
    if ttl_s is not None and (isinstance(ttl_s, bool) or not isinstance(ttl_s, int | float) or not 1 <= ttl_s <= LONGEST_TTL_S):
        raise ValueError(f"row {number}: {ttl_s!r} is no time to live in seconds")
    if size is not None and (not _whole(size) or not 0 <= size <= LARGEST_VALUE_BYTES):
        raise ValueError(f"row {number}: {size!r} is no size of a value")
    return key, version, ttl_s, size


def _whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
