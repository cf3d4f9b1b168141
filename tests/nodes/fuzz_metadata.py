"""The readers of what the store has on its disk under atheris: an object's metadata, and the list of purges.

    python -m tests.nodes.fuzz_metadata -max_total_time=60 CORPUS

It is no test by itself: `test_fuzz.py` runs it for a moment.
"""

import struct
import sys

import atheris

with atheris.instrument_imports(include=["nodes.edge.store"]):
    from nodes.edge.caching.invalidation import member_of
    from nodes.edge.store.purges import Purges, PurgesError
    from nodes.edge.store.purges import _checksum as checksum_of_line
    from nodes.edge.store.record import FOOTER_BYTES, MAGIC, RecordError, _checksum, decode, encode

BODY = 5


def one(data: bytes) -> None:
    """Bytes as they are, and with right checksums, without which nothing would come as far as the values."""
    kind, text = data[:1], data[1:]
    if kind == b"p":
        purges(text)
    elif kind == b"q":
        purges(b"".join(checksum_of_line(line) + b" " + line + b"\n" for line in text.split(b"\n")))
    elif kind == b"r":
        metadata(text, len(text))
    else:
        tail = text + struct.pack("<8sQQ16s", MAGIC, BODY, len(text), _checksum(BODY, text))
        metadata(tail, BODY + FOOTER_BYTES + len(text))


def metadata(tail: bytes, file_bytes: int) -> None:
    """Refused, or a value that is the same when it is written and read again."""
    try:
        found = decode(tail, file_bytes)
    except RecordError:
        return
    again = encode(*found)
    assert decode(again, sum(part.length for part in found[0].parts) + len(again)) == found


def purges(text: bytes) -> None:
    """Likewise."""
    found, again = Purges(member_of), Purges(member_of)
    try:
        found.read(text)
    except PurgesError:
        return
    again.read(found.lines(0.0))
    assert again == found


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
