"""The one hash of keys that Maglev and rendezvous share. It is not ketama's: that one is a published format.

MD5 is taken for its speed and because every machine gives the same; nothing here needs it to be secret.
"""

from __future__ import annotations

from hashlib import md5


def hash64(text: str) -> int:
    """64 bits of the MD5 of a text in UTF-8, little endian."""
    return int.from_bytes(md5(text.encode(), usedforsecurity=False).digest()[:8], "little")
