"""What a key may be, and what stands for it in memcached. It knows no values.

memcached takes at most 250 bytes (doc/protocol.txt), EVCache's clients 255: a longer one is hashed on the wire, as EVCache
does with keys beyond its limit.
"""

from __future__ import annotations

import re
from hashlib import blake2b

LARGEST_KEY_BYTES = 255
LARGEST_WIRE_BYTES = 250
_BAD = re.compile(rb"[\x00-\x20\x7f]")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class BadKey(ValueError):
    """A key that cannot be; the message says what may."""


class Keys:
    """The keys of one namespace; on the wire each begins with `NAMESPACE:`. Raises ValueError for what is no name."""

    def __init__(self, namespace: str) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError(f"'{namespace}' is no namespace; write 1 to 64 letters, digits and . _ -, a letter or digit first")
        self._prefix = namespace.encode() + b":"

    def wire(self, key: str) -> bytes:
        """What stands for the key in memcached. Raises BadKey."""
        return self._fit(self._prefix + checked(key))

    def chunk(self, key: str, version: int, number: int) -> bytes:
        """One chunk of a large value; other versions have other chunks, so that they never mix."""
        digest = blake2b(key.encode(), digest_size=20).hexdigest().encode()
        return self._prefix + b"#%b.%x.%d" % (digest, version, number)

    def mine(self, wire: bytes) -> bool:
        """Whether something in memcached is of this namespace."""
        return wire.startswith(self._prefix)

    def is_chunk(self, wire: bytes) -> bool:
        """Whether something of this namespace is a chunk and not a copy."""
        return wire.startswith(self._prefix + b"#") and b"." in wire[len(self._prefix) :]

    def _fit(self, wire: bytes) -> bytes:
        if len(wire) <= LARGEST_WIRE_BYTES:
            return wire
        return self._prefix + b"#" + blake2b(wire, digest_size=32).hexdigest().encode()


def checked(key: str) -> bytes:
    """The bytes of a key. Raises BadKey."""
    try:
        data = key.encode()
    except UnicodeEncodeError:
        raise BadKey(f"the key {key!r} is not Unicode text") from None
    if not data:
        raise BadKey("the key is empty; give 1 to 255 bytes")
    if len(data) > LARGEST_KEY_BYTES:
        raise BadKey(f"the key '{key[:40]}...' has {len(data)} bytes; at most {LARGEST_KEY_BYTES} are allowed")
    bad = _BAD.search(data)
    if bad:
        raise BadKey(f"the key {key!r} has the byte 0x{bad.group()[0]:02x}; spaces and control characters are not allowed")
    if data[0] == 0x23:
        raise BadKey(f"the key {key!r} begins with '#', which marks chunks and hashed keys")
    return data
