"""TCP segments of a capture, one after the other, for small files. It keeps nothing but headers and knows no connection.

`results.captures.reader` reads; this hands its rows out as tuples. For large files use its columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from results.captures.formats import ACK, FIN, RST, SYN

__all__ = ["ACK", "FIN", "RST", "SYN", "Segment", "segments"]


class Segment(NamedTuple):
    """One TCP segment. `time_ns` since 1970; addresses are packed (4 or 16 bytes); `payload_bytes` as on the wire."""

    time_ns: int
    source: tuple[bytes, int]
    destination: tuple[bytes, int]
    seq: int
    ack: int
    flags: int
    payload_bytes: int


def segments(path: Path) -> Iterator[Segment]:
    """Every TCP segment of a pcap or pcapng file, in file order. Raises CaptureError, also for a truncated file, before the
    first segment when the file is small."""
    import numpy as np  # here: reports of runs without captures need not wait for it

    from results.captures.columns import CUT, FRAGMENT, MALFORMED, TCP, packed
    from results.captures.reader import Capture

    capture = Capture(path)
    for chunk in capture.chunks():
        rows = chunk.packets[(chunk.packets.protocol == TCP) & ((chunk.packets.state & (FRAGMENT | CUT | MALFORMED)) == 0)]
        columns = (rows.time_ns, rows.source_high, rows.source_low, rows.source_port, rows.destination_high,
                   rows.destination_low, rows.destination_port, rows.seq, rows.ack, rows.flags & np.uint16(0xFF),
                   rows.payload)  # fmt: skip
        if capture.records.problem or capture.cut or capture.strange:
            capture.check()
        for time_ns, sh, sl, sp, dh, dl, dp, seq, ack, flags, payload in zip(*(one.tolist() for one in columns), strict=True):
            yield Segment(time_ns, (packed(sh, sl), sp), (packed(dh, dl), dp), seq, ack, flags, payload)
    capture.check()
