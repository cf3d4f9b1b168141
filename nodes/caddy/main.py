"""The command line of Caddy as a node. It starts Caddy, waits for it and stops it; Caddy serves."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
from pathlib import Path

from nodes.caddy.config import Wish, caddyfile
from nodes.child import Child
from nodes.http import tls_options
from nodes.http.daemon import announce
from nodes.http.failure import USAGE, Failure
from nodes.http.listening import listen
from nodes.http.options import Parser, address, quantity
from nodes.http.origin_address import Origin, host_port, parse_origin
from nodes.programs import program

DESCRIPTION = """\
Debian's Caddy, which speaks HTTP/1.1, 2 and 3 over TLS, in front of an origin. It keeps nothing. It has /healthz, Prometheus'
/metrics, and with --log a JSON line for each request, in Caddy's own words."""


def main(argv: list[str]) -> int:
    """Run Caddy until SIGTERM; returns the exit status."""
    made = Parser(prog="longhaul node caddy", description=DESCRIPTION, allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter,
                  epilog="example:\n  longhaul node caddy --listen 127.0.0.1:8443 --origin http://127.0.0.1:9000 "
                         "--tls-authority certificates")  # fmt: skip
    made.add_argument("--listen", metavar="HOST:PORT", default=("127.0.0.1", 0), type=quantity(address),
                      help="where to accept connections, and UDP for HTTP/3; port 0 lets the kernel choose")  # fmt: skip
    made.add_argument("--origin", metavar="URL", type=quantity(parse_origin), required=True, help="whom to ask, http://HOST:PORT")
    made.add_argument("--name", metavar="NAME", help="what its certificate and the line that it is ready call it")
    made.add_argument("--log", metavar="FILE", type=Path, help="append one JSON line per request to this file")
    tls_options.add_server(made)
    options = made.parse_args(argv)
    try:
        return _run(options)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status


def _run(options: argparse.Namespace) -> int:
    origin: Origin = options.origin
    if origin.scheme != "http":
        raise Failure("start caddy", "its origin is to be http", "see longhaul node caddy --help", USAGE)
    host, port = options.listen
    (tried,) = listen(host, port, None)  # so that a port in use is said in our words
    with tried:
        host, port = tried.getsockname()[:2]
    name = options.name or f"caddy-{port}"
    files = tls_options.certificate(options, name, host)
    if files is None:
        raise Failure("start caddy", "HTTP/2 and 3 need TLS and there is no certificate", "add --tls-authority", USAGE)
    certificate, key = (Path(one).absolute() for one in (files[0], files[1] or files[0]))
    wish = Wish(host, port, origin.where, certificate, key, options.log and options.log.absolute())
    with tempfile.TemporaryDirectory(prefix="longhaul-caddy-") as folder:
        return _serve(wish, Path(folder), name)


def _serve(wish: Wish, folder: Path, name: str) -> int:
    (folder / "Caddyfile").write_text(caddyfile(wish), encoding="utf-8")
    folders = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    caddy = Child("caddy", [program("caddy", "caddy"), "run", "--config", "Caddyfile"], cwd=folder,
                  environment={**os.environ, **folders})  # fmt: skip
    caddy.wait_ready(lambda: _trouble(wish))
    announce(name, host_port(wish.host, wish.port))
    caddy.wait()
    return 0


def _trouble(wish: Wish) -> str:
    socket.create_connection((wish.host, wish.port), timeout=1).close()
    return ""
