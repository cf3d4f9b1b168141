"""The edge's command line. It only reads options and rules; `app.py` serves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nodes.edge import control
from nodes.edge.app import Edge
from nodes.edge.descriptors import files_to_hold
from nodes.edge.policies.machinery import catalogue
from nodes.edge.routing.origin import origin
from nodes.edge.routing.rules import Rules, RulesError, parse, reload
from nodes.edge.store.store import Store
from nodes.edge.worker import EdgeWorker
from nodes.http import tls_options
from nodes.http.failure import USAGE, Failure
from nodes.http.metrics import Metrics
from nodes.http.options import directory, not_negative, parser, positive, quantity, serve
from nodes.http.pool import Pool
from nodes.http.prepared import MOST_BYTES
from nodes.http.timeouts import Timeouts
from units import byte_count, milliseconds

DEFAULT_RULES = Path(__file__).parent / "default_rules.toml"

DESCRIPTION = """\
A reverse proxy with a cache of files on an SSD, by the rules of RFC 9110, 9111 and 9112.
The routing rules say which origin serves what and what is cached; nodes/edge/default_rules.toml is the one to copy.
They are read again on SIGHUP, without dropping a request, and a line on stderr says so; wrong rules are told and not taken.

""" + "\n".join((control.__doc__ or "").splitlines())

EXAMPLE = """\
longhaul node edge --listen 127.0.0.1:8080 --origin http://127.0.0.1:9000 --cache /tmp/cache --capacity 10GiB
  longhaul node edge --origin https://origin.example --cache /srv/cache --capacity 1TiB --policy s3fifo --fsync always
  curl -X POST 'http://127.0.0.1:8080/-/purge?url=http://127.0.0.1:8080/index.html'"""


def main(argv: list[str]) -> int:
    """Run an edge until SIGTERM; returns the exit status."""
    options = _parser().parse_args(argv)

    def build(name: str, metrics: Metrics) -> Edge:
        rules = _rules(options)
        tls = tls_options.client(options)
        store = Store(options.cache, options.capacity_bytes, options.policy, options.admission, options.fsync == "always",
                      metrics)  # fmt: skip
        timeouts = Timeouts(options.connect_ms / 1e3, options.timeout_ms / 1e3, options.timeout_ms / 1e3)
        pool = Pool(options.origin_connections, options.idle_ms / 1e3, timeouts, options.congestion_control, tls)
        return Edge(name, rules, store, pool, metrics, lambda old: _reread(options, old), files_to_hold(), options.ready_bytes)

    return serve(options, build, "edge",
                 lambda name, metrics: EdgeWorker(name, options.cache, files_to_hold(), options.ready_bytes))  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    made = parser("edge", DESCRIPTION, EXAMPLE)
    made.add_argument("--origin", metavar="URL", type=quantity(origin), help="the origin called default in the rules")
    made.add_argument("--cache", metavar="DIR", type=quantity(directory), required=True, help="where objects are kept")
    made.add_argument("--capacity", metavar="SIZE", dest="capacity_bytes", type=positive(byte_count), required=True,
                      help="how many bytes of files are kept at most, such as 10GiB")  # fmt: skip
    made.add_argument("--memory", metavar="SIZE", dest="ready_bytes", type=not_negative(byte_count), default=MOST_BYTES,
                      help="keep so much of answers ready in the memory of each worker; 0B: every hit is read from its file "
                           "(default 128MiB)")  # fmt: skip
    made.add_argument("--policy", choices=catalogue.policy_names(offline=False), default="lru",
                      help="which object goes when room is needed (default %(default)s)")  # fmt: skip
    made.add_argument("--admission", choices=catalogue.admission_names(), default="always",
                      help="which object is let in (default %(default)s)")  # fmt: skip
    made.add_argument("--rules", metavar="FILE", type=Path, default=DEFAULT_RULES, help="routing rules (TOML)")
    made.add_argument("--fsync", choices=("always", "never"), default="never",
                      help="after kill -9 every object is whole or absent with either; `always` promises it after a "
                           "power cut too (default %(default)s)")  # fmt: skip
    made.add_argument("--origin-connections", metavar="N", type=positive(int), default=256,
                      help="connections to each origin at most (default %(default)s)")  # fmt: skip
    made.add_argument("--origin-idle", metavar="TIME", dest="idle_ms", type=positive(milliseconds), default=60_000.0,
                      help="keep an idle connection to an origin so long (default 60s)")  # fmt: skip
    made.add_argument("--origin-connect", metavar="TIME", dest="connect_ms", type=positive(milliseconds), default=10_000.0,
                      help="wait so long for an origin to accept a connection (default 10s)")  # fmt: skip
    made.add_argument("--origin-timeout", metavar="TIME", dest="timeout_ms", type=positive(milliseconds),
                      default=30_000.0, help="wait so long for an origin to answer or send more (default 30s)")  # fmt: skip
    tls_options.add_client(made)
    return made


def _rules(options: argparse.Namespace) -> Rules:
    """The rules of the file. Raises Failure."""
    if options.origin is None and options.rules == DEFAULT_RULES:
        raise Failure("start the edge", "no --origin is given", "give --origin URL, or --rules FILE with [origins] of its own",
                      USAGE)  # fmt: skip
    try:
        return parse(_text(options.rules), options.origin)
    except RulesError as error:
        raise Failure(f"read the rules {options.rules}", str(error), f"see {DEFAULT_RULES.name} for an example",
                      USAGE) from error  # fmt: skip


def _reread(options: argparse.Namespace, old: Rules) -> Rules:
    """The rules of the file as it is now; the old ones when it is wrong or cannot be read. A line on stderr says which."""
    try:
        new, wrong = reload(old, _text(options.rules), options.origin)
    except Failure as failure:
        print(f"longhaul: {failure}; the old rules hold", file=sys.stderr)
        return old
    if wrong:
        print(f"longhaul: could not read the rules {options.rules}: {wrong}; the old rules hold", file=sys.stderr)
    else:
        count = len(new.routes)
        print(f"longhaul: read the rules {options.rules} again; {count} route{'' if count == 1 else 's'}", file=sys.stderr)
    return new


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise Failure(f"read the rules {path}", cause.lower(), "name a TOML file with --rules", USAGE) from error
