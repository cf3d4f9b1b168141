"""The options of our edge, as far as nginx has them: read, checked, and refused with a reason where nginx has not.

It starts nothing.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import resource
from pathlib import Path

from nodes.http import tls_options
from nodes.http.failure import USAGE, Failure
from nodes.http.listening import listen
from nodes.http.options import Parser, directory, limits, parser, positive, quantity
from nodes.http.origin_address import host_port, parse_origin
from nodes.http.tls import server_context
from nodes.nginx_edge.config import Edge
from units import byte_count, milliseconds

DESCRIPTION = """\
nginx as a caching edge, with the options of `longhaul node edge` as far as nginx has them. GET /-/cache tells what it
holds, DELETE /-/cache empties it. It sends no Age, and its log's first_byte_ms is null: nginx knows neither."""

CANNOT = {
    "--rules": "nginx does not read our routing rules; everything goes to --origin",
    "--congestion-control": "nginx has no such setting; set it on the routes, as labs do",
    "--origin-connections": "above a limit nginx turns requests away, where ours wait",
    "--policy": "nginx evicts the least recently used",
    "--admission": "nginx stores whatever may be stored",
}
_IN_QUOTES = re.compile(r"[^\"$\\\n\0]+")
_VERSIONS = {None: ("TLSv1.2", "TLSv1.3"), "1.2": ("TLSv1.2",), "1.3": ("TLSv1.3",)}


def made() -> Parser:
    """The parser."""
    found = parser("nginx-edge", DESCRIPTION, "longhaul node nginx-edge --listen 127.0.0.1:8080 --origin "
                   "http://127.0.0.1:9000 --cache /tmp/cache --capacity 10GiB")  # fmt: skip
    found.add_argument("--origin", metavar="URL", type=quantity(parse_origin), required=True, help="where misses go")
    found.add_argument("--cache", metavar="DIR", type=quantity(directory), required=True, help="where objects are kept")
    found.add_argument("--capacity", metavar="SIZE", dest="capacity_bytes", type=positive(byte_count), required=True,
                       help="how many bytes of objects are kept; nginx evicts afterwards, every 10 ms")  # fmt: skip
    found.add_argument("--fsync", choices=("always", "never"), default="never", help="nginx can only `never`")
    found.add_argument("--origin-idle", metavar="TIME", dest="idle_ms", type=positive(milliseconds), default=60_000.0,
                       help="keep an idle connection to the origin so long (default 60s)")  # fmt: skip
    found.add_argument("--origin-connect", metavar="TIME", dest="connect_ms", type=positive(milliseconds),
                       default=10_000.0, help="wait so long for the origin to accept a connection (default 10s)")  # fmt: skip
    found.add_argument("--origin-timeout", metavar="TIME", dest="timeout_ms", type=positive(milliseconds),
                       default=30_000.0, help="wait so long for the origin to answer or send more (default 30s)")  # fmt: skip
    found.add_argument("--log-format", choices=("json", "combined"), default="json",
                       help="our fields, or nginx's own format, in which it serves a tenth more small hits (default json)")
    tls_options.add_client(found)
    known = {name for action in found._actions for name in action.option_strings}
    for name in CANNOT:
        if name not in known:
            found.add_argument(name, help=argparse.SUPPRESS)
    return found


def edge(options: argparse.Namespace) -> tuple[Edge, Path]:
    """What nginx is told, and the folder that is its own. Raises Failure."""
    for option, why in CANNOT.items():
        if getattr(options, option[2:].replace("-", "_"), None) is not None:
            raise Failure(f"start nginx-edge with {option}", why, f"leave out {option}", USAGE)
    if options.fsync == "always":
        raise Failure("start nginx-edge with --fsync always", "nginx never waits for the disk", "use --fsync never", USAGE)
    if options.origin.scheme == "https" and not options.origin_insecure and _is_address(options.origin.name):
        raise Failure(f"trust the origin {options.origin.name}", "nginx checks names of hosts, not addresses",
                      "name the origin by its host, or use --origin-insecure", USAGE)  # fmt: skip
    host, port = address(*options.listen)
    name = options.name or f"nginx-edge-{port}"
    folder = options.cache.absolute() / "nginx"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if options.log is not None:
            Path(options.log).open("ab").close()
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise Failure(f"write {error.filename}", cause, "choose another --cache or --log") from error
    return Edge(
        name, host_port(host, port), options.origin, options.capacity_bytes,
        options.workers, _file(options.log), options.log_format == "combined", options.idle_ms / 1e3, options.connect_ms / 1e3,
        options.timeout_ms / 1e3,
        tls=_tls(options, name, host), origin_authority=_file(options.origin_authority),
        origin_insecure=options.origin_insecure, origin_tls=_VERSIONS[options.origin_tls_version],
        as_root=os.geteuid() == 0, limits=limits(options), files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    ), folder  # fmt: skip


def address(host: str, port: int) -> tuple[str, int]:
    """Where to listen, with the kernel's choice for port 0. Raises Failure when it cannot be."""
    (tried,) = listen(host, port, None)  # nginx alone would say this in words of its own, or share the port
    with tried:
        found: tuple[str, int] = tried.getsockname()[:2]
    return found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _file(path: str | Path | None) -> str | None:
    """An absolute path that can stand in nginx's configuration. Raises Failure."""
    if path is None:
        return None
    absolute = str(Path(path).absolute())
    if not _IN_QUOTES.fullmatch(absolute):
        raise Failure(f"use the file {absolute}", "nginx cannot read its name", "choose a name without quotes, $ and \\", USAGE)
    return absolute


def _tls(options: argparse.Namespace, name: str, host: str) -> tuple[str, str, tuple[str, ...]] | None:
    """Certificate, key and versions; what is wrong with them is said as our own edge says it. Raises Failure."""
    files = tls_options.certificate(options, name, host)
    if files is None:
        return None
    certificate, key = files
    server_context(certificate, key, options.tls_version)  # refuses what nginx would refuse in words of its own
    return str(_file(certificate)), str(_file(key or certificate)), _VERSIONS[options.tls_version]


