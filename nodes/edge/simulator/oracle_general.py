"""Traces in libCacheSim's oracleGeneral format: 24 bytes for each request, little endian.

uint32 time in s, uint64 id, uint32 size in bytes, int64 number of the request that asks for this id next (-1: none). The
time is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from nodes.edge.policies.belady import NEVER
from nodes.edge.simulator.requests import CHUNK, Chunk, TraceError

RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])


def read(file: BinaryIO) -> Iterator[Chunk]:
    """The requests of a trace. Raises TraceError."""
    done, rest = 0, b""
    while data := file.read(CHUNK * RECORD.itemsize):
        data = rest + data
        whole = len(data) // RECORD.itemsize
        rest = data[whole * RECORD.itemsize :]
        records = np.frombuffer(data, RECORD, whole)
        following = records["next"]
        if (following < -1).any():
            place = done + int(np.argmax(following < -1)) + 1
            raise TraceError(f"record {place}: its next use is below -1, so this is no oracleGeneral trace")
        done += whole
        yield Chunk(records["id"].tolist(), records["size"].tolist(), np.where(following < 0, NEVER, following).tolist())
    if rest:
        raise TraceError(f"record {done + 1}: the file ends after {len(rest)} of its {RECORD.itemsize} bytes")
