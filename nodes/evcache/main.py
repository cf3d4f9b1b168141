"""The cache's command line. It only reads options; `app.py` serves."""

from __future__ import annotations

import argparse

from nodes.evcache import node_list, write_policy
from nodes.evcache.app import App
from nodes.evcache.cache import EVCache
from nodes.evcache.keys import Keys
from nodes.evcache.settings import Settings
from nodes.evcache.truth_client import TruthClient
from nodes.evcache.warming import RATE_BPS
from nodes.evcache.watching import Watching
from nodes.http.metrics import Metrics
from nodes.http.options import not_negative, parser, positive, quantity, serve
from nodes.http.origin_address import Origin, parse_origin
from units import bits_per_second, byte_count, fraction, milliseconds

DESCRIPTION = """\
A cache on memcached with a whole copy in every zone: GET, PUT and DELETE of /keys/KEY (?ttl=60s&policy=quorum), POST of a
JSON list of keys to /keys, POST to /touch/KEY. Writes go to --truth and all zones at once, reads to the nearest zone."""


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; returns the exit status."""
    defaults = Settings()
    made = parser("evcache", DESCRIPTION, "longhaul node evcache --listen 127.0.0.1:8090 --truth http://127.0.0.1:9100 "
                  "--nodes 'TEA-NODES=zone0=127.0.0.1:11211;zone1=127.0.0.1:11212' --zone zone0")  # fmt: skip
    made.add_argument("--nodes", metavar="LIST", type=quantity(node_list.parse), required=True,
                      help="APP-NODES=ZONE=HOST:PORT,HOST:PORT;ZONE=HOST:PORT")  # fmt: skip
    made.add_argument("--truth", metavar="URL", type=quantity(parse_origin), required=True, help="where the source of truth is")
    made.add_argument("--zone", metavar="ZONE", dest="local_zone", help="the zone that is read first")
    made.add_argument("--write-only", metavar="ZONE", action="append", default=[],
                      help="a zone that is written and not read, such as one that warms; may stand several times")  # fmt: skip
    made.add_argument("--namespace", metavar="NAME", type=quantity(_namespace), default=defaults.namespace,
                      help="what every key in memcached begins with (default %(default)s)")  # fmt: skip
    made.add_argument("--policy", choices=list(write_policy.POLICIES), default=defaults.policy,
                      help="how many zones a write waits for (default %(default)s)")  # fmt: skip
    made.add_argument("--fill", choices=("local", "all"), default="local", help="which zones a miss fills (default local)")
    for option, name, what in (
        ("--zone-read-timeout", "read_s", "wait so long for a read of a zone"),
        ("--zone-write-timeout", "write_s", "wait so long for a write of a zone, and for the source of truth"),
        ("--longest-ttl", "longest_s", "no copy lives longer; bounds how stale a value may be when a repair is impossible"),
        ("--absent-ttl", "absent_s", "remember so long that a row is absent"),
        ("--collapse-wait", "collapse_s", "wait so long for another client that loads the same key"),
    ):
        made.add_argument(option, metavar="TIME", dest=name, type=positive(milliseconds), default=getattr(defaults, name) * 1e3,
                          help=f"{what} (default {getattr(defaults, name):g}s)")  # fmt: skip
    made.add_argument("--no-collapse", action="store_false", dest="collapse",
                      help="let each reader that misses a key load it, to see what that costs")  # fmt: skip
    made.add_argument("--check-reads", metavar="PART", type=not_negative(fraction), default=0.0,
                      help="hold this part of the reads against the source of truth afterwards (default 0%%)")  # fmt: skip
    made.add_argument("--replicate", metavar="REGION=URL", type=quantity(_region), action="append", default=[],
                      help="tell the cache of another region of every write; may stand several times")  # fmt: skip
    made.add_argument("--resend", action="store_true",
                      help="tell the other regions of all rows first: this daemon's queue was lost")  # fmt: skip
    made.add_argument("--warm", metavar="ZONE", help="fill this zone from another before it is read")
    made.add_argument("--warm-rate", metavar="RATE", type=positive(bits_per_second), default=RATE_BPS,
                      help="at most so fast (default 80mbit)")  # fmt: skip
    made.add_argument("--refresh", metavar="TIME", dest="refresh_s", type=not_negative(milliseconds), default=0.0,
                      help="load a copy anew when it has less time left than this (default 0s: when it has ended)")  # fmt: skip
    made.add_argument("--ttl-jitter", metavar="PART", dest="jitter", type=not_negative(fraction), default=defaults.jitter,
                      help="shorten each copy's life by up to this part (default 10%%)")  # fmt: skip
    made.add_argument("--compress-above", metavar="SIZE", dest="compress_above_bytes", type=positive(byte_count),
                      default=defaults.compress_above_bytes, help="compress larger values (default 16KiB)")  # fmt: skip
    made.add_argument("--queue", metavar="N", dest="waiting", type=positive(int), default=defaults.waiting,
                      help="commands that may wait on one connection; more fail at once (default %(default)s)")  # fmt: skip
    made.add_argument("--near", metavar="N", dest="near_capacity", type=not_negative(int), default=0,
                      help="keep up to N hot keys in this process for a second (default 0)")  # fmt: skip
    options = made.parse_args(argv)
    try:
        settings = _settings(options)
        for zone in (*settings.write_only, *filter(None, [settings.local_zone, options.warm])):
            if zone not in options.nodes.zones:
                raise ValueError(f"'{zone}' is none of the zones {', '.join(options.nodes.zones)}")
        regions = [name for name, _ in options.replicate]
        if len(set(regions)) < len(regions):
            raise ValueError(f"--replicate: a region stands twice among {', '.join(regions)}")
        if options.warm is not None and len(set(options.nodes.zones) - settings.write_only - {options.warm}) == 0:
            raise ValueError(f"--warm {options.warm}: no zone serves beside it, so that none can fill it")
    except ValueError as error:
        made.error(str(error))
    if options.workers > 1:
        made.error("--workers: one process has the queue of repairs; start several daemons instead")

    def build(name: str, metrics: Metrics) -> App:
        truth = TruthClient(options.truth, settings.write_s, options.congestion_control)
        cache = EVCache(options.nodes, settings, truth, metrics, dict(options.replicate))
        for relay in cache.relays.values() if options.resend else ():
            relay.resend()
        if options.warm is not None:
            cache.warming.begin(options.warm, None, options.warm_rate)
        return App(name, cache, Watching(options.nodes, metrics))

    return serve(options, build, "evcache")


def _settings(options: argparse.Namespace) -> Settings:
    """Raises ValueError."""
    return Settings(
        namespace=options.namespace, local_zone=options.local_zone, write_only=frozenset(options.write_only),
        policy=options.policy, fill_all=options.fill == "all", read_s=options.read_s / 1e3, write_s=options.write_s / 1e3,
        longest_s=_whole(options.longest_s, "--longest-ttl"), absent_s=_whole(options.absent_s, "--absent-ttl"),
        jitter=options.jitter, refresh_s=_whole(options.refresh_s, "--refresh"), collapse_s=options.collapse_s / 1e3,
        lease_s=max(1, round(options.write_s / 1e3 + 1)), compress_above_bytes=options.compress_above_bytes,
        waiting=options.waiting, near_capacity=options.near_capacity, collapse=options.collapse,
        check_reads=options.check_reads,
    )  # fmt: skip


def _whole(time_ms: float, option: str) -> int:
    if time_ms % 1000:
        raise ValueError(f"{option} {time_ms / 1e3:g}s is no whole number of seconds, which is what memcached counts")
    return int(time_ms / 1000)


def _region(text: str) -> tuple[str, Origin]:
    name, equals, url = text.partition("=")
    if not equals or not name:
        raise ValueError(f"'{text}' is not REGION=URL, such as mumbai=http://10.0.0.9:8090")
    return name, parse_origin(url)


def _namespace(text: str) -> str:
    Keys(text)
    return text
