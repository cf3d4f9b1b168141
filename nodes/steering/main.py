"""Steering's command line. It only reads options; `app.py` serves."""

from __future__ import annotations

import re
import sys

from nodes.http.failure import USAGE, Failure
from nodes.http.metrics import Metrics
from nodes.http.options import parser, positive, quantity, serve
from nodes.steering import app
from nodes.steering.app import Steering
from nodes.steering.directory import Directory
from nodes.steering.health import Limits
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
    options = made.parse_args(argv)
    if options.workers != 1:
        failure = Failure(f"start steering with {options.workers} workers", "what edges report is known in one process",
                          "leave out --workers", USAGE)  # fmt: skip
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status

    def build(name: str, metrics: Metrics) -> Steering:
        directory = Directory(options.sites, Limits(options.full, options.silent_ms / 1e3))
        return Steering(name, directory, metrics, options.urls)

    return serve(options, build, "steering")


def _site(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise ValueError(f"'{text}' is not the name of a site; use letters, digits and . _ -")
    return text
