"""A resolver at work: what is kept is answered at once, everything else is asked of the zone's server first.

    GET    /-/state    zones, and how many answers are kept
    DELETE /-/kept     forgets them

It answers names of its zones alone; what a client is told stands in the log with where it was known from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import dns.asyncquery
import dns.exception
import dns.name

from nodes.dns.server import NameServer
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.own_paths import demand
from nodes.http.reply import Reply
from nodes.resolver import messages
from nodes.resolver.families import COUNTERS, OTHERS
from nodes.resolver.kept import Address, Answers, Kept, scope_of
from nodes.resolver.messages import MessageError, Question

ALLOWED = {"/-/state": "GET, HEAD", "/-/kept": "DELETE"}


@dataclass(frozen=True)
class Told:
    """What a client was told, and for the log from where: `kept`, `asked`, or `nowhere` with the reason."""

    wire: bytes | None
    rcode: str = "-"
    name: str = "-"
    kind: str = "-"
    client: str = "-"
    known_from: str = "nowhere"
    server: str = "-"
    subnet: str | None = None
    scope: int | None = None
    records: tuple[str, ...] = ()
    server_ms: float | None = None
    error: str = ""

    def record(self) -> dict[str, Any]:
        """For the log."""
        found: dict[str, Any] = {
            "resolved": self.kind, "name": self.name, "client": self.client, "known_from": self.known_from,
            "server": self.server, "subnet": self.subnet, "scope": self.scope, "addresses": list(self.records),
            "server_ms": self.server_ms,
        }  # fmt: skip
        return found | ({"error": self.error} if self.error else {})


class Resolver:
    """`zones`: a domain and its server (host, port), which is waited for `within_s`. `bits` of each client's address are told
    to servers."""

    def __init__(self, name: str, zones: Mapping[dns.name.Name, tuple[str, int]], bits: int, within_s: float,
                 metrics: Metrics) -> None:  # fmt: skip
        self.name, self._zones, self._bits, self._within_s, self._metrics = name, dict(zones), bits, within_s, metrics
        self._answers = Answers()
        self.listens = ""
        """Where it answers DNS."""
        self.sockets: NameServer | None = None
        metrics.declare(COUNTERS, OTHERS)
        metrics.before_text(lambda: metrics.gauge("longhaul_resolver_kept", len(self._answers)))

    async def close(self) -> None:
        """Answer no more."""
        if self.sockets is not None:
            await self.sockets.close()

    async def handle(self, request: Request, reply: Reply) -> None:
        """Its own paths. Raises HttpError."""
        if request.path not in ALLOWED:
            raise HttpError(404, f"nothing is here; there are {', '.join(ALLOWED)}, /healthz and /metrics")
        demand(request, ALLOWED)
        count = len(self._answers)
        if request.method == "DELETE":
            self._answers.clear()
        answer = {"node": self.name, "dns": self.listens, "kept": count, "client_subnet": self._bits,
                  "zones": {zone.to_text(): f"{host}:{port}" for zone, (host, port) in self._zones.items()}}  # fmt: skip
        fields = Fields([("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        await reply.full(200, fields, json.dumps(answer).encode() + b"\n")

    async def answer(self, wire: bytes, client: Address, tcp: bool) -> Told:
        """The answer to a client's bytes."""
        try:
            asked = messages.question(wire)
        except MessageError as error:
            return Told(error.wire, error.rcode, client=str(client))
        told = Told(None, "-", asked.name.to_text(), asked.kind, str(client))
        known, now_s = self._answers.find(asked.key, client, time.time()), time.time()
        if known is not None:
            self._metrics.count("longhaul_resolver_answers_total", known_from="kept")
            told = replace(told, known_from="kept")
        else:
            known, told = await self._ask(asked, client, told)
            self._metrics.count("longhaul_resolver_answers_total", known_from=told.known_from)
            now_s = time.time()
        scope = None if known.scope is None else known.scope.prefixlen
        return replace(told, wire=messages.to_client(asked, known, now_s, tcp=tcp), rcode=known.rcode, scope=scope,
                       records=tuple(value for _, value in known.records))  # fmt: skip

    async def _ask(self, asked: Question, client: Address, told: Told) -> tuple[Kept, Told]:
        """What the zone's server says, kept if it may be."""
        server = next((where for zone, where in self._zones.items() if asked.name.is_subdomain(zone)), None)
        if server is None:
            return Kept("REFUSED", (), None, 0), replace(told, error="it is of no zone that this resolver was told of")
        host, port = server
        query = messages.to_server(asked, client, self._bits)
        subnet = f"{client}/{min(self._bits, client.max_prefixlen)}" if self._bits else None
        told = replace(told, known_from="asked", server=f"{host}:{port}", subnet=subnet)
        began_s = time.perf_counter()
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(query, host, self._within_s, port)
            rcode, records, keep_s, scope_bits = messages.said(answer)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return Kept("SERVFAIL", (), None, 0), replace(told, error=str(error) or type(error).__name__)
        now_s = time.time()
        known = Kept(rcode, records, scope_of(client, self._bits, scope_bits), now_s + keep_s)
        self._answers.put(asked.key, known, now_s)
        return known, replace(told, server_ms=round((time.perf_counter() - began_s) * 1e3, 3))
