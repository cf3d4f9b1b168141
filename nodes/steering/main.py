"""Steering's command line. It only reads options; `app.py` serves."""

from __future__ import annotations

import re
import sys

from nodes.dns import server
from nodes.dns.server import NameServer
from nodes.http.access_log import AccessLog
from nodes.http.failure import USAGE, Failure
from nodes.http.metrics import Metrics
from nodes.http.options import address, not_negative, parser, positive, quantity, serve
from nodes.steering import app
from nodes.steering.app import Steering
from nodes.steering.directory import Directory
from nodes.steering.health import Limits
from nodes.steering.naming import Zone, answer
from nodes.steering.ranking import MOST_URLS
from units import fraction, milliseconds

DESCRIPTION = """\
Rank edges for clients by the most specific prefix announced to a site, then AS path length, then delay, then health and
content. It knows only what edges report.

""" + "\n".join((app.__doc__ or "").splitlines())

EXAMPLE = """\
longhaul node steering --listen 127.0.0.1:8070 --site mumbai --site singapore
  curl 'http://127.0.0.1:8070/steer/objects/64KiB/a?client=203.0.113.7'"""


def main(argv: list[str]) -> int:
    """Run steering until SIGTERM; returns the exit status."""
    made = parser("steering", DESCRIPTION, EXAMPLE)
    made.add_argument("--site", metavar="NAME", dest="sites", action="append", required=True, type=quantity(_site),
                      help="a site whose edges may report; give it once for each")  # fmt: skip
    made.add_argument("--silent", metavar="TIME", dest="silent_ms", type=positive(milliseconds),
                      default=Limits.silent_s * 1e3, help="an edge that says nothing of its health for this time is down "
                      "(default 30s)")  # fmt: skip
    made.add_argument("--full", metavar="PART", type=positive(fraction), default=Limits.full_at,
                      help="an edge takes no new clients when so much of a bottleneck is in use (default 95%%)")  # fmt: skip
    made.add_argument("--urls", metavar="N", type=positive(int), default=MOST_URLS,
                      help="how many URLs a client gets at most (default %(default)s)")  # fmt: skip
    made.add_argument("--dns", metavar="HOST:PORT", type=quantity(address),
                      help="answer DNS here too, by UDP and TCP (EDNS Client Subnet, RFC 7871)")  # fmt: skip
    made.add_argument("--dns-name", metavar="NAME", dest="zone", type=quantity(Zone.of), default=Zone.of("steer.test"),
                      help="the name whose addresses are the best edges (default steer.test)")  # fmt: skip
    made.add_argument("--dns-ttl", metavar="TIME", dest="ttl_ms", type=not_negative(milliseconds), default=20_000.0,
                      help="how long a resolver may keep an answer (default 20s)")  # fmt: skip
    options = made.parse_args(argv)
    if options.workers != 1:
        failure = Failure(f"start steering with {options.workers} workers", "what edges report is known in one process",
                          "leave out --workers", USAGE)  # fmt: skip
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status

    try:
        sockets = None if options.dns is None else server.bind(*options.dns)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
    zone = Zone(options.zone.name, round(options.ttl_ms / 1e3))

    def build(name: str, metrics: Metrics) -> Steering:
        directory = Directory(options.sites, Limits(options.full, options.silent_ms / 1e3))
        steering = Steering(name, directory, metrics, options.urls)
        if sockets is not None:
            log = AccessLog(options.log)
            log.name(name, None)
            steering.close_with(NameServer(sockets, lambda wire, resolver, tcp: answer(
                wire, resolver, zone, steering.choose, tcp=tcp), log, metrics))  # fmt: skip
            steering.dns = {"listen": "{}:{}".format(*sockets[0].getsockname()[:2]), "name": str(zone.name)}
        return steering

    return serve(options, build, "steering")


def _site(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise ValueError(f"'{text}' is not the name of a site; use letters, digits and . _ -")
    return text
