"""TLS hellos read from the beginning of a record: version, name, resumption. It decrypts nothing.

Sources: RFC 8446 sections 4.1.2, 4.1.3 and 4.2; RFC 5246 section 7.4.1; RFC 6066 section 3 (server name).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
CLIENT_HELLO, SERVER_HELLO = 1, 2
_SERVER_NAME, _PRE_SHARED_KEY, _SUPPORTED_VERSIONS = 0, 41, 43


@dataclass(frozen=True)
class Hello:
    """One hello. `version` is what a server chose, or the highest that a client offered; `psk` whether a pre-shared key was
    offered or taken. What lies behind the captured bytes is missing: `whole` says so."""

    client: bool
    version: int
    session: bytes
    server_name: str
    psk: bool
    whole: bool


def hello(record: bytes) -> Hello | None:
    """The hello that a handshake record begins with; None when it holds another message, or not enough of one."""
    if len(record) < 44 or record[0] != 0x16 or record[5] not in (CLIENT_HELLO, SERVER_HELLO):
        return None
    client = record[5] == CLIENT_HELLO
    end = 9 + int.from_bytes(record[6:9], "big")
    version = int(struct.unpack_from(">H", record, 9)[0])
    session = record[44 : 44 + record[43]]
    at = 44 + record[43]
    # Cipher suites and compression methods: lists of a client, single values of a server.
    if client:
        at += 2 + _number(record, at, 2)
        at += 1 + _number(record, at, 1)
    else:
        at += 3
    name, psk = "", False
    for kind, value in _extensions(record, at + 2):
        if kind == _SUPPORTED_VERSIONS:
            listed = value[1:] if client else value
            offered = (_number(listed, place, 2) for place in range(0, len(listed) - 1, 2))
            version = max((one for one in offered if one in VERSIONS), default=version)
        elif kind == _SERVER_NAME and len(value) > 5:
            name = value[5:].decode("ascii", "replace")
        elif kind == _PRE_SHARED_KEY:
            psk = True
    return Hello(client, version, session, name, psk, len(record) >= end)


def _extensions(record: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(record):
        kind, size = struct.unpack_from(">HH", record, at)
        if at + 4 + size > len(record):
            return
        yield kind, record[at + 4 : at + 4 + size]
        at += 4 + size


def _number(record: bytes, at: int, width: int) -> int:
    return int.from_bytes(record[at : at + width], "big")
