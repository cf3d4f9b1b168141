"""Steering's answers over HTTP: reports come in, ranked lists of URLs go out.

    GET  /steer/TITLE                 edges for a title, best first; the client is who asks
    GET  /steer/TITLE?client=ADDRESS  the same for somebody else, and what was passed over
    POST /-/reports                   an edge's report (JSON; nodes/steering/reports.py says of what)
    GET  /-/state                     sites, edges, and how many files and prefixes are known

It decides nothing: `ranking.py` does, and each decision stands in the access log with its candidates and reasons.
"""

from __future__ import annotations

import ipaddress
import json
import time
from typing import Any
from urllib.parse import parse_qsl, unquote

from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.reply import Reply
from nodes.steering.directory import Directory
from nodes.steering.families import COUNTERS, OTHERS
from nodes.steering.ranking import Decision, explain, rank
from nodes.steering.reports import ReportError, parse
from nodes.steering.routes import Address

STEER, REPORTS, STATE = "/steer", "/-/reports", "/-/state"
LARGEST_REPORT_BYTES = 256 * 1024 * 1024


class Steering:
    """Answers from a directory. `most` is how many URLs a client gets."""

    def __init__(self, name: str, directory: Directory, metrics: Metrics, most: int) -> None:
        self.name, self.directory, self.metrics, self._most = name, directory, metrics, most
        self.dns: dict[str, str] | None = None
        """Where it answers DNS too, and for which name."""
        self._closing: list[Any] = []
        metrics.declare(COUNTERS, OTHERS)
        metrics.before_text(self._gauges)

    def close_with(self, part: Any) -> None:
        """Something whose `close` is awaited when the daemon stops."""
        self._closing.append(part)

    async def close(self) -> None:
        """Stop what belongs to it."""
        for part in self._closing:
            await part.close()

    def decide(self, client: Address, title: str | None, way: str) -> Decision:
        """Rank, and count what came of it; `way` is how the client asked: http or dns."""
        decision = rank(self.directory, client, title, time.time(), self._most)
        outcome = "refused" if decision.refused else decision.miss or "rank0"
        self.metrics.count("longhaul_steering_decisions_total", way=way, outcome=outcome)
        return decision

    def choose(self, client: Address) -> tuple[Decision, int]:
        """The decision for a client that asked by name and so told no title, and the length of the prefix it holds for."""
        return self.decide(client, None, "dns"), self.directory.prefixes.scope(client)

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer with JSON. Raises HttpError."""
        if request.path.startswith(STEER + "/"):
            _allow(request, "GET", "HEAD")
            status, answer = self._steer(request, reply)
        elif request.path == REPORTS:
            _allow(request, "POST")
            status, answer = 200, self._report(await _content(request))
        elif request.path == STATE:
            _allow(request, "GET", "HEAD")
            status, answer = 200, self.state()
        else:
            raise HttpError(404, f"nothing is here; there are {STEER}/TITLE, {REPORTS}, {STATE}, /healthz, /metrics")
        fields = Fields([("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        await reply.full(status, fields, json.dumps(answer).encode() + b"\n")

    def _steer(self, request: Request, reply: Reply) -> tuple[int, dict[str, Any]]:
        asked = dict(parse_qsl(request.query, keep_blank_values=True))
        if unknown := sorted(set(asked) - {"client"}):
            raise HttpError(400, f"there is no parameter {unknown[0]!r}; there is client=ADDRESS")
        client = _address(asked.get("client") or reply.peer.rpartition(":")[0].strip("[]"))
        decision = self.decide(client, unquote(request.path.removeprefix(STEER)), "http")
        whole = explain(decision)
        reply.outcome.notes["decision"] = whole
        reply.outcome.result = f"miss {decision.miss}" if decision.miss else "refused" if decision.refused else "rank0"
        status = 200 if decision.candidates else 503 if decision.passed else 404
        return status, whole if "client" in asked or decision.refused else explain(decision, full=False)

    def _report(self, content: bytes) -> dict[str, Any]:
        try:
            report = parse(json.loads(content), time.time())
            changed = self.directory.take(report)
        except (ValueError, RecursionError) as error:  # RecursionError: JSON nested a thousand deep
            self.metrics.count("longhaul_steering_reports_total", outcome="refused")
            status = 409 if isinstance(error, ReportError) else 400
            raise HttpError(status, f"could not take the report: {error}; what was known before holds") from error
        self.metrics.count("longhaul_steering_reports_total", outcome="taken")
        return changed

    def state(self) -> dict[str, Any]:
        """What is known, in numbers."""
        directory, now_s = self.directory, time.time()
        return {
            "node": self.name, "prefixes": len(directory.prefixes), "files": len(directory.files), "stale": directory.stale,
            "dns": self.dns,
            "sites": {
                site: [{"edge": edge.name, "url": edge.url, "files": directory.files.count(edge.name),
                        **dict(zip(("state", "why"), edge.state(now_s, directory.limits), strict=True))} for edge in edges]
                for site, edges in directory.sites.items()
            },
        }  # fmt: skip

    def _gauges(self) -> None:
        directory = self.directory
        self.metrics.gauge("longhaul_steering_edges", len(directory.edges))
        self.metrics.gauge("longhaul_steering_prefixes", len(directory.prefixes))
        self.metrics.gauge("longhaul_steering_files", len(directory.files))
        self.metrics.gauge("longhaul_steering_stale_speakers", len(directory.stale))


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise HttpError(405, f"{request.path} answers {allowed}", [("Allow", allowed)])


def _address(text: str) -> Address:
    try:
        found = ipaddress.ip_address(text)
    except ValueError as error:
        raise HttpError(400, f"client {text!r} is not an address; write for example 203.0.113.7") from error
    return getattr(found, "ipv4_mapped", None) or found


async def _content(request: Request) -> bytes:
    """The whole content of a request. Raises HttpError for too much of it."""
    parts: list[bytes] = []
    taken_bytes = 0
    if request.body is not None:
        async for part in request.body:
            taken_bytes += len(part)
            if taken_bytes > LARGEST_REPORT_BYTES:
                raise HttpError(413, f"a report has at most {LARGEST_REPORT_BYTES} bytes", close=True)
            parts.append(part)
    return b"".join(parts)
