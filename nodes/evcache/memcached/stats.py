"""What a memcached counts of itself, from the text of its `stats` command, by the names that our metrics have for it.

It asks nobody; `nodes/evcache/watching.py` does.
"""

from __future__ import annotations

from nodes.evcache.memcached.meta import Garbage

NAMES = {
    "bytes": "evcache_ram_bytes",
    "curr_items": "evcache_items",
    "evictions": "evcache_evictions",
    "extstore_bytes_used": "evcache_ssd_bytes",
    "extstore_bytes_written": "evcache_ssd_written_bytes",
    "extstore_bytes_read": "evcache_ssd_read_bytes",
    "extstore_objects_written": "evcache_ssd_writes",
    "extstore_objects_read": "evcache_ssd_reads",
    "extstore_objects_evicted": "evcache_ssd_evictions",
}
END = b"END\r\n"


def parse(text: bytes) -> dict[str, float]:
    """Our names with their numbers; those of an SSD are absent where there is none. Raises Garbage."""
    if not text.endswith(END):
        raise Garbage(f"the statistics end with {text[-20:]!r}")
    found: dict[str, float] = {}
    for line in text.removesuffix(END).splitlines():
        words = line.split(b" ", 2)
        if len(words) != 3 or words[0] != b"STAT":
            raise Garbage(f"the line {line[:40]!r} is no statistic")
        name = NAMES.get(words[1].decode("latin-1"))
        if name is not None:
            try:
                found[name] = float(words[2])
            except ValueError:
                raise Garbage(f"the line {line[:40]!r} has no number") from None
    return found
