"""Requests and responses on a followed connection, by who speaks: it reads no byte, so an encrypted one has them too.

A request begins with the first new client byte after the connection opened or after response bytes were seen; so pipelined
requests count as one. Its first byte is the response's own: a later segment that overtakes a lost one does not count for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from results.captures.connection_table import Analysis
from results.captures.streams import Ints
from results.captures.tcp import Segments


@dataclass(frozen=True)
class Exchange:
    """Places in `Segments`: of the request's first new byte, of the response's first and last new byte (-1: not seen), and
    behind the last segment before the next request. `response_bytes` are new ones, header and body."""

    request: int
    first: int
    last: int
    until: int
    response_bytes: int


def exchanges(analysis: Analysis, number: int) -> list[Exchange]:
    """Of a connection, in order."""
    found, fresh = analysis.segments, analysis.fresh
    begin = int(found.streams.begins[number])
    end = int(found.streams.begins[number + 1]) if number + 1 < found.connections else len(found.row)
    speaks = begin + np.flatnonzero(fresh[begin:end] > 0)
    server = (found.flow[speaks] & 1) == 1
    asks, answers = speaks[~server], speaks[server]
    starts: list[tuple[int, int]] = []
    after = begin
    while (at := int(np.searchsorted(asks, after))) < len(asks):
        request = int(asks[at])
        awaited = int(found.other_highest[request])
        first = _first(found, answers[np.searchsorted(answers, request) :], awaited)
        starts.append((request, first))
        if first < 0:
            break
        after = first
    return [_exchange(analysis, request, first, starts[number][0] if number < len(starts) else end, answers)
            for number, (request, first) in enumerate(starts, 1)]  # fmt: skip


def _first(found: Segments, later: Ints, awaited: int) -> int:
    """The first of the places `later` that has the byte `awaited` (-1: any); -1 when none has. It is among the next few mostly,
    and a connection may have thousands of exchanges: so it is not looked for in all of them at once."""
    begin, size = 0, 16
    while begin < len(later):
        some = later[begin : begin + size]
        has = some if awaited < 0 else some[(found.seq[some] <= awaited) & (found.end[some] > awaited)]
        if len(has):
            return int(has[0])
        begin, size = begin + size, 4 * size
    return -1


def _exchange(analysis: Analysis, request: int, first: int, until: int, answers: Ints) -> Exchange:
    mine = answers[np.searchsorted(answers, request) : np.searchsorted(answers, until)]
    last = int(mine[-1]) if len(mine) and first >= 0 else -1
    return Exchange(request, first, last, until, int(analysis.fresh[mine].sum()))
