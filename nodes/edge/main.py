"""The edge's command line. It only reads options and rules; `app.py` serves."""

from __future__ import annotations

import argparse
from pathlib import Path

from nodes.edge.app import Edge
from nodes.edge.rules import Rules, RulesError, origin, parse
from nodes.edge.store import Store
from nodes.http.failure import USAGE, Failure
from nodes.http.metrics import Metrics
from nodes.http.options import parser, positive, quantity, serve
from nodes.http.pool import Pool
from units import byte_count, milliseconds

DEFAULT_RULES = Path(__file__).parent / "default_rules.toml"

DESCRIPTION = """\
A reverse proxy with a cache of files. GET /-/cache tells what it holds, DELETE /-/cache empties it.
The rules say which origin serves what and what is cached; nodes/edge/default_rules.toml is the one to copy."""


def main(argv: list[str]) -> int:
    """Run an edge until SIGTERM; returns the exit status."""
    made = parser("edge", DESCRIPTION, "longhaul node edge --listen 127.0.0.1:8080 --origin http://127.0.0.1:9000 "
                                       "--cache /tmp/cache --capacity 10GiB")  # fmt: skip
    made.add_argument("--origin", metavar="URL", type=quantity(origin), help="the origin called default in the rules")
    made.add_argument("--cache", metavar="DIR", type=Path, required=True, help="where objects are kept")
    made.add_argument("--capacity", metavar="SIZE", dest="capacity_bytes", type=positive(byte_count), required=True,
                      help="how many bytes of objects are kept at most, such as 10GiB")  # fmt: skip
    made.add_argument("--rules", metavar="FILE", type=Path, default=DEFAULT_RULES, help="routing rules (TOML)")
    made.add_argument("--fsync", choices=("always", "never"), default="never",
                      help="after kill -9 every object is whole or absent with either; `always` promises it after a "
                           "power cut too (default %(default)s)")  # fmt: skip
    made.add_argument("--origin-connections", metavar="N", type=positive(int), default=256,
                      help="connections to each origin at most (default %(default)s)")  # fmt: skip
    made.add_argument("--origin-idle", metavar="TIME", dest="idle_ms", type=positive(milliseconds), default=60_000.0,
                      help="keep an idle connection to an origin so long (default 60s)")  # fmt: skip
    made.add_argument("--origin-timeout", metavar="TIME", dest="timeout_ms", type=positive(milliseconds),
                      default=30_000.0, help="wait so long for an origin to connect or send (default 30s)")  # fmt: skip
    options = made.parse_args(argv)

    def build(name: str, metrics: Metrics) -> Edge:
        rules = _rules(options)
        store = Store(options.cache, options.capacity_bytes, options.fsync == "always", metrics)
        pool = Pool(options.origin_connections, options.idle_ms / 1e3, options.timeout_ms / 1e3,
                    options.congestion_control)  # fmt: skip
        return Edge(name, rules, store, pool, metrics)

    return serve(options, build, "edge")


def _rules(options: argparse.Namespace) -> Rules:
    """The rules of the file. Raises Failure."""
    attempt = f"read the rules {options.rules}"
    try:
        return parse(options.rules.read_text(encoding="utf-8"), options.origin)
    except RulesError as error:
        raise Failure(attempt, str(error), f"see {DEFAULT_RULES.name} for an example", USAGE) from error
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise Failure(attempt, cause.lower(), "name a TOML file with --rules", USAGE) from error
