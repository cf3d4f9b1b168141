"""Fill's command line. It only reads options and the configuration; `app.py` works."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from nodes.fill import app
from nodes.fill.app import Filling
from nodes.fill.config import ConfigError, parse
from nodes.http.access_log import AccessLog
from nodes.http.failure import USAGE, Failure
from nodes.http.metrics import Metrics
from nodes.http.options import parser, serve
from nodes.steering.fill.errors import FillError

DESCRIPTION = """\
Each night, in the local time of each site, plan what its edges are to have and have them fetch it: the most popular files
that fit, at the site's rate, from a peer, a tier or the origin. nodes/fill/example.toml is the configuration to copy.

""" + "\n".join((app.__doc__ or "").splitlines())

EXAMPLE = """\
longhaul node fill --config nodes/fill/example.toml --listen 127.0.0.1:8090
  curl -X POST http://127.0.0.1:8090/-/night"""


def main(argv: list[str]) -> int:
    """Run until SIGTERM; returns the exit status."""
    made = parser("fill", DESCRIPTION, EXAMPLE)
    made.add_argument("--config", metavar="FILE", type=Path, required=True, help="sites, edges and catalogue (TOML)")
    options = made.parse_args(argv)
    try:
        if options.workers != 1:
            raise Failure(f"start fill with {options.workers} workers", "a night is planned in one process",
                          "leave out --workers", USAGE)  # fmt: skip
        config = parse(options.config.read_text(encoding="utf-8"), time.time())
    except (OSError, UnicodeDecodeError, ConfigError, FillError) as error:
        cause = (getattr(error, "strerror", None) or str(error)).lower() if isinstance(error, OSError) else str(error)
        failure = Failure(f"read the configuration {options.config}", cause, "nodes/fill/example.toml is an example", USAGE)
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status

    def build(name: str, metrics: Metrics) -> Filling:
        log = AccessLog(options.log)
        log.name(name, None)
        filling = Filling(name, config, log, metrics)
        filling.start()
        return filling

    return serve(options, build, "fill")
