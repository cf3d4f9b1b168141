"""What is kept of each request: one line of the access log, and the numbers of /metrics.

It answers nothing. For prepared answers the counters are found once and added to once a turn; nothing is left out.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nodes.http.access_log import BATCH_LINES, LATE_S, AccessLog
from nodes.http.steered import Steered, steered

if TYPE_CHECKING:
    import asyncio

    from nodes.http.message import Request
    from nodes.http.metrics import Metrics, Tally
    from nodes.http.outlet import Outlet
    from nodes.http.prepared import Prepared
    from nodes.http.reply import Reply

    Used = Callable[[dict[Prepared, int]], None]


class Records:
    """The log and the metrics of one server. `number` counts requests and, behind `prefix`, names them."""

    def __init__(self, log: AccessLog, metrics: Metrics, loop: asyncio.AbstractEventLoop, told: Used | None) -> None:
        self.log, self.metrics = log, metrics
        self.durations = metrics.histogram("longhaul_request_duration_seconds")
        self.used: list[Prepared] = []
        """Prepared answers given since the last `tell_used`."""
        self.prefix = f"{time.time_ns() & 0xFFFFFFFF:08x}"
        self.number = 0
        self._loop, self._told = loop, told
        self._timer: asyncio.TimerHandle | None = None

    def new_id(self) -> str:
        """A name for a request, unique in this log."""
        self.number += 1
        return f"{self.prefix}-{self.number}"

    def flush(self) -> None:
        """Write every record now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lost = self.log.flush()
        if lost:
            self.metrics.count("longhaul_log_errors_total", lost)

    def flush_full(self) -> None:
        """Write a full batch now, a part of one a little later."""
        waiting = len(self.log.lines)
        if waiting >= BATCH_LINES:
            self.flush()
        elif waiting and self._timer is None:
            self._timer = self._loop.call_later(LATE_S, self.flush)

    def tell_used(self) -> None:
        """Count the prepared answers that were given, and tell the application of them."""
        if not self.used:
            return
        counts = Counter(self.used)
        self.used.clear()
        for answer, count in counts.items():
            answer.used = True
            if answer.tally is None:
                answer.tally = self.metrics.tally(answer.status, answer.result)
            answer.tally.add(count, answer.body_bytes)
            if answer.steered is not None:
                self._count(answer.steered, count, count * answer.body_bytes)
        if self._told is not None:
            self._told(counts)

    def answered(self, request: Request | None, reply: Reply, started_s: float, gone: str) -> None:
        """A request that the application answered, or that was refused."""
        now_s, first_s, outcome = self._loop.time(), reply.first_byte_at, reply.outcome
        self.metrics.tally(reply.status, outcome.result).add(1, reply.sent_bytes)
        self.durations.observe(now_s - started_s)
        said = steered(request.fields) if request else None
        if said is not None:
            self._count(said, 1, reply.sent_bytes)
        if not self.log.open:
            return
        record: dict[str, Any] = {
            "ts_ns": time.time_ns(), "client": reply.peer,
            "method": request.method if request else "-", "target": request.target if request else "-",
            "status": reply.status, "bytes": reply.sent_bytes, "duration_ms": round((now_s - started_s) * 1e3, 3),
            "first_byte_ms": None if first_s is None else round((first_s - started_s) * 1e3, 3),
            "result": outcome.result, "cache_status": outcome.cache_status,
            "upstream_ms": outcome.upstream_ms, "request_id": request.request_id if request else "-",
            "finished": reply.finished,
        }  # fmt: skip
        if gone:
            record["error"] = gone
        if said is not None:
            record["steered"] = said.as_dict()
        self.log.add({**record, **outcome.notes})
        self.flush_full()

    def _count(self, said: Steered, requests: int, sent_bytes: int) -> None:
        """Requests that came by a ranked list, and their bytes, by rank and by what was missed at rank 0."""
        labels = {"rank": str(said.rank), "miss": said.miss or "none"}
        self.metrics.count("longhaul_steered_requests_total", requests, **labels)
        self.metrics.count("longhaul_steered_bytes_total", sent_bytes, **labels)

    def prepared(self, connection: Outlet, answer: Prepared, began_s: float, first_s: float) -> None:
        """A prepared answer that left outside the fast path of `rounds.py`."""
        self.used.append(answer)
        self._line(connection, answer.log or self.log.beginning(answer), began_s, first_s)

    def passed(self, connection: Outlet, known: str, tally: Tally, body_bytes: int, began_s: float, first_s: float) -> None:
        """A whole answer that a holder gave; `known` are its members of the record, each with a comma."""
        tally.add(1, body_bytes)
        self._line(connection, self.log.opening + known, began_s, first_s)

    def _line(self, connection: Outlet, beginning: str, began_s: float, first_s: float) -> None:
        now_s = self._loop.time()
        self.durations.observe(now_s - began_s)
        if self.log.open:
            self.log.lines.append(
                f'{beginning}{connection.log}"ts_ns":{time.time_ns()},'
                f'"duration_ms":{(now_s - began_s) * 1e3:.3f},"first_byte_ms":{(first_s - began_s) * 1e3:.3f},'
                f'"request_id":"{self.new_id()}"}}\n'
            )

    def cut(self, connection: Outlet, answer: Prepared, began_s: float, first_s: float, unsent_bytes: int) -> None:
        """A prepared answer whose client left before it had all."""
        now_s, sent_bytes = self._loop.time(), max(0, answer.body_bytes - unsent_bytes)
        self.metrics.tally(answer.status, answer.result).add(1, sent_bytes)
        self.durations.observe(now_s - began_s)
        if answer.steered is not None:
            self._count(answer.steered, 1, sent_bytes)
        self.log.add({
            "ts_ns": time.time_ns(), "client": connection.peer, "method": answer.method, "target": answer.target,
            "status": answer.status, "bytes": sent_bytes, "duration_ms": round((now_s - began_s) * 1e3, 3),
            "first_byte_ms": round((first_s - began_s) * 1e3, 3) if first_s else None,
            "result": answer.result, "cache_status": answer.cache_status, "upstream_ms": None,
            "request_id": self.new_id(), "finished": False, "error": "the client left",
            **({"steered": answer.steered.as_dict()} if answer.steered is not None else {}),
        })  # fmt: skip
        self.flush_full()
