"""The resolver's command line. It only reads options; `app.py` answers."""

from __future__ import annotations

import sys

import dns.exception
import dns.name

from nodes.dns import server
from nodes.dns.server import NameServer
from nodes.http.access_log import AccessLog
from nodes.http.failure import USAGE, Failure
from nodes.http.metrics import Metrics
from nodes.http.options import address, parser, positive, quantity, serve
from nodes.resolver import app
from nodes.resolver.app import Resolver
from units import milliseconds

DESCRIPTION = """\
Answer clients' DNS questions for zones whose servers are given, as a resolver that may stand far from its clients. With
--client-subnet it tells those servers where a client is (EDNS Client Subnet, RFC 7871); without, they see the resolver alone.

""" + "\n".join((app.__doc__ or "").splitlines())

EXAMPLE = """\
longhaul node resolver --dns 127.0.0.1:5300 --zone steer.test=127.0.0.1:5353 --client-subnet 24
  dig @127.0.0.1 -p 5300 steer.test"""


def main(argv: list[str]) -> int:
    """Run until SIGTERM; returns the exit status."""
    made = parser("resolver", DESCRIPTION, EXAMPLE)
    made.add_argument("--dns", metavar="HOST:PORT", type=quantity(address), required=True,
                      help="answer DNS here, by UDP and TCP")  # fmt: skip
    made.add_argument("--zone", metavar="NAME=HOST:PORT", dest="zones", action="append", required=True, type=quantity(_zone),
                      help="a domain and its server; give it once for each")  # fmt: skip
    made.add_argument("--client-subnet", metavar="BITS", dest="bits", type=quantity(_bits), default=0,
                      help="tell servers so many bits of the client's address, 24 is usual (default 0: nothing)")  # fmt: skip
    made.add_argument("--server-timeout", metavar="TIME", dest="server_ms", type=positive(milliseconds), default=5000.0,
                      help="wait so long for a server's answer (default 5s)")  # fmt: skip
    options = made.parse_args(argv)
    try:
        if options.workers != 1:
            raise Failure(f"start a resolver with {options.workers} workers", "what it keeps is known in one process",
                          "leave out --workers", USAGE)  # fmt: skip
        sockets = server.bind(*options.dns)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status

    def build(name: str, metrics: Metrics) -> Resolver:
        resolver = Resolver(name, dict(options.zones), options.bits, options.server_ms / 1e3, metrics)
        log = AccessLog(options.log)
        log.name(name, None)
        resolver.sockets = NameServer(sockets, resolver.answer, log, metrics)
        resolver.listens = "{}:{}".format(*sockets[0].getsockname()[:2])
        return resolver

    return serve(options, build, "resolver")


def _zone(text: str) -> tuple[dns.name.Name, tuple[str, int]]:
    name, equals, where = text.partition("=")
    try:
        if not equals:
            raise ValueError("it has no =")
        return dns.name.from_text(name), address(where)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"'{text}' is not NAME=HOST:PORT: {error}") from error


def _bits(text: str) -> int:
    if not text.isdecimal() or int(text) > 128:
        raise ValueError(f"'{text}' is not a number of bits from 0 to 128")
    return int(text)
