"""The balancer's command line. It only reads options and the members' file; `app.py` serves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random

from nodes.balancer import catalogue, control
from nodes.balancer.app import Balancer
from nodes.balancer.balance import Settings
from nodes.balancer.checking import Check
from nodes.balancer.health.outliers import Limits
from nodes.balancer.members import Members, MembersError, from_json, from_toml
from nodes.http import tls_options
from nodes.http.failure import USAGE, Failure
from nodes.http.memory import keep_memory
from nodes.http.metrics import Metrics
from nodes.http.options import not_negative, parser, positive, quantity, serve
from nodes.http.pool import Pool
from nodes.http.timeouts import Timeouts
from units import fraction, milliseconds

EXAMPLE_MEMBERS = Path(__file__).parent / "example_members.toml"

DESCRIPTION = """\
A load balancer of two layers: a zone rule picks a zone, a node rule a node in it. It proxies, or redirects with --redirect.
nodes/balancer/example_members.toml is the members' file to copy; it is read again on SIGHUP, and while it is wrong the old
members hold. A node of one balancer may be another balancer: that makes two tiers.

""" + "\n".join((control.__doc__ or "").splitlines())

EXAMPLE = """\
longhaul node balancer --listen 127.0.0.1:8000 --members nodes/balancer/example_members.toml
  longhaul node balancer --members members.json --zone-rule locality --node-rule bounded-load --check-interval 500ms
  curl -X PATCH http://127.0.0.1:8000/-/members -d '{"nodes": {"edge1": {"drain": true}}}'"""


def main(argv: list[str]) -> int:
    """Run a balancer until SIGTERM; returns the exit status."""
    options = _parser().parse_args(argv)
    keep_memory()

    def build(name: str, metrics: Metrics) -> Balancer:
        members, tls = _members(options.members), tls_options.client(options)
        timeouts = Timeouts(options.connect_ms / 1e3, options.timeout_ms / 1e3, options.timeout_ms / 1e3)
        pool = Pool(options.node_connections, options.idle_ms / 1e3, timeouts, options.congestion_control, tls)
        check = Check(options.check_path, options.check_interval_ms / 1e3, options.check_timeout_ms / 1e3)
        return Balancer(name, members, _settings(options), pool, check if options.checks == "on" else None, tls, metrics,
                        lambda: _reread(options.members), options.redirect, Random(options.seed))  # fmt: skip

    return serve(options, build, "balancer")


def _parser() -> argparse.ArgumentParser:
    made = parser("balancer", DESCRIPTION, EXAMPLE)
    add, limits = made.add_argument, Limits()
    add("--members", metavar="FILE", type=Path, required=True, help="zones and nodes, TOML or (named *.json) JSON")
    add("--zone-rule", choices=catalogue.zone_rule_names(), default="nearest", help="who picks the zone (default %(default)s)")
    add("--node-rule", choices=catalogue.node_rule_names(), default="round-robin",
        help="who picks the node in it (default %(default)s)")  # fmt: skip
    add("--redirect", type=int, choices=(302, 307), help="send clients to the node instead of passing on what it says")
    add("--seed", type=int, help="of all chance, so that a run can be repeated (default: none)")
    add("--checks", choices=("on", "off"), default="on", help="ask the nodes how they are (default %(default)s)")
    add("--check-path", metavar="PATH", type=quantity(_path), default="/-/healthz", help="what is asked (%(default)s)")
    for name, default_s, help_text in (("interval", 2.0, "ask each so often"), ("timeout", 1.0, "wait so long for an answer")):
        add(f"--check-{name}", metavar="TIME", dest=f"check_{name}_ms", type=positive(milliseconds),
            default=default_s * 1e3, help=f"{help_text} (default {default_s:g}s)")  # fmt: skip
    add("--rise", metavar="N", type=positive(int), default=2, help="so many good checks bring a node up (default %(default)s)")
    add("--fall", metavar="N", type=positive(int), default=3, help="so many bad checks bring it down (default %(default)s)")
    add("--outlier-failures", metavar="N", type=positive(int), default=limits.consecutive,
        help="eject a node after so many failed requests in a row (default %(default)s)")  # fmt: skip
    add("--outlier-time", metavar="TIME", dest="outlier_ms", type=positive(milliseconds), default=limits.base_s * 1e3,
        help=f"for this time, times the count of its ejections (default {limits.base_s:g}s)")  # fmt: skip
    add("--outlier-most", metavar="SHARE", type=not_negative(fraction), default=limits.most,
        help=f"at most such a share of all nodes, but one always (default {limits.most:.0%}%)")  # fmt: skip
    add("--slow-start", metavar="TIME", dest="slow_start_ms", type=not_negative(milliseconds), default=0.0,
        help="a node that is new or returns gets its full traffic after this time (default 0ms)")  # fmt: skip
    add("--node-connections", metavar="N", type=positive(int), default=256,
        help="connections to each node at most (default %(default)s)")  # fmt: skip
    for name, target, default_s, help_text in (
        ("idle", "idle_ms", 60.0, "keep an idle connection to a node so long"),
        ("connect", "connect_ms", 1.0, "wait so long for a node to accept a connection"),
        ("timeout", "timeout_ms", 30.0, "wait so long for a node to answer or send more"),
    ):
        add(f"--node-{name}", metavar="TIME", dest=target, type=positive(milliseconds), default=default_s * 1e3,
            help=f"{help_text} (default {default_s:g}s)")  # fmt: skip
    tls_options.add_client(made)
    return made


def _settings(options: argparse.Namespace) -> Settings:
    limits = Limits(options.outlier_failures, options.outlier_ms / 1e3, options.outlier_most)
    return Settings(options.zone_rule, options.node_rule, options.rise, options.fall, options.slow_start_ms / 1e3, limits)


def _members(path: Path) -> Members:
    """What the file says. Raises Failure."""
    try:
        text = path.read_text(encoding="utf-8")
        return from_json(text) if path.suffix == ".json" else from_toml(text)
    except MembersError as error:
        raise Failure(f"read the members {path}", str(error), f"see {EXAMPLE_MEMBERS.name} for an example", USAGE) from error
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise Failure(f"read the members {path}", cause.lower(), "name a TOML or JSON file with --members", USAGE) from error


def _reread(path: Path) -> Members | None:
    try:
        return _members(path)
    except Failure as failure:
        print(f"longhaul: {failure}; the old members hold", file=sys.stderr, flush=True)
        return None


def _path(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or any(one <= " " for one in text):
        raise ValueError(f"'{text}' is not a path; write for example /healthz")
    return text
