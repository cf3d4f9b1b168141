"""The answer to memcached's `lru_crawler metadump`: the keys there are, one a line (doc/protocol.txt, "lru_crawler").

It reads no socket. Values are not in it, and what was stored after it began may be missing.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from nodes.evcache.memcached.meta import Garbage

COMMAND = b"lru_crawler metadump all\r\n"
END = b"END"
LONGEST_LINE_BYTES = 2048


class Busy(Exception):
    """Another crawl is under way; ask again later."""


def key(line: bytes) -> bytes:
    """The key in a line, such as `key=a%20b exp=-1 la=1700000000 cas=5 fetch=no cls=1 size=63`. Raises Busy, Garbage."""
    if line.startswith(b"BUSY"):
        raise Busy
    word = line.split(b" ", 1)[0]
    if not word.startswith(b"key=") or len(word) == 4:
        raise Garbage(f"the line {line[:60]!r} names no key")
    return unquote_to_bytes(word[4:])
