"""The command line of an edge's reporter: asks the edge, tells steering, now and then. It listens on no port."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from nodes.edge_reporter.use import MetricsError, Reading, read, used
from nodes.http.access_log import AccessLog
from nodes.http.failure import Failure
from nodes.http.options import Parser, positive, quantity
from nodes.steering.telling import Troubles, get, send
from units import bits_per_second, milliseconds

REPEAT_S = 30.0
"""An unchanged list is told again so often: a steering that was started anew knows nothing."""

DESCRIPTION = """\
Tell steering how an edge is: how much of its rate and its connections is in use, by its /-/metrics. With --files, a text
with the path of one file in each line, also what it has; the list is read again when it changes. An edge that does not
answer is not reported, and steering takes it for down when it has been silent for some time."""
EXAMPLE = """\
longhaul node edge-reporter --steering http://10.0.0.1:8070 --edge edge1 --site mumbai --url http://10.0.0.6:8080 \\
      --rate 10gbit --files /srv/manifest.txt"""


def main(argv: list[str]) -> int:
    """Run until SIGTERM; returns the exit status."""
    made = Parser(prog="longhaul node edge-reporter", description=DESCRIPTION, epilog=f"example:\n  {EXAMPLE}",
                  allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    made.add_argument("--steering", metavar="URL", required=True, help="whom to tell")
    made.add_argument("--edge", metavar="NAME", required=True, help="the edge's name")
    made.add_argument("--site", metavar="NAME", required=True, help="the site it is of")
    made.add_argument("--url", metavar="URL", required=True, help="where clients and this reporter reach it")
    made.add_argument("--rate", metavar="RATE", dest="rate_bps", type=positive(bits_per_second), required=True,
                      help="what it can send, such as 10gbit")  # fmt: skip
    made.add_argument("--connections", metavar="N", type=positive(int), default=10_000,
                      help="how many clients it can have at once (default %(default)s)")  # fmt: skip
    made.add_argument("--files", metavar="FILE", type=Path, help="the paths of the files that it has, one in each line")
    made.add_argument("--interval", metavar="TIME", dest="interval_ms", type=quantity(positive(milliseconds)),
                      default=5000.0, help="tell so often (default 5s)")  # fmt: skip
    made.add_argument("--name", metavar="NAME", default="", help="what the log calls this node (default: the edge's name)")
    made.add_argument("--log", metavar="FILE", help="append a JSON line for each report")
    options = made.parse_args(argv)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ending.set())
    try:
        files, log = Files(options.files), AccessLog(options.log)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
    log.name(options.name or options.edge, None)
    print(json.dumps({"event": "ready", "listen": options.url, "name": options.edge}), flush=True)
    _run(options, files, ending, log)
    return 0


class Files:
    """A list of files in a text. Raises Failure when it is not there at first; later the last good one stays."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._stamp = path, (0, 0)
        self.titles: list[str] | None = None
        if path is not None and (cause := self.look()):
            raise Failure(f"read the files {path}", cause, "name a text with --files")

    def look(self) -> str:
        """Read it again when it has changed; gives why that could not be."""
        if self._path is None:
            return ""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                text = self._path.read_text(encoding="utf-8")
                self.titles, self._stamp = [line for line in text.splitlines() if line], stamp
        except (OSError, UnicodeDecodeError) as error:
            return (getattr(error, "strerror", None) or str(error)).lower()
        return ""


def _run(options: argparse.Namespace, files: Files, ending: threading.Event, log: AccessLog) -> None:
    troubles, before = Troubles(), Reading(time.time(), 0.0, 0.0)
    told: list[str] | None = None
    told_s, fresh = 0.0, True
    while True:
        troubles.say(f"read the files {options.files}", files.look(), "the last list holds")
        report: dict[str, Any] = {"edge": options.edge, "site": options.site, "url": options.url, "at": time.time()}
        cause = ""
        try:
            now = read(get(f"{options.url.rstrip('/')}/-/metrics").decode("utf-8", "replace"), time.time())
            # without a reading before there is no rate yet: the edge may have sent for days
            report["health"] = {"used": used(now if fresh else before, now, options.rate_bps, options.connections)}
            before, fresh = now, False
        except (OSError, MetricsError) as error:
            cause, fresh = str(getattr(error, "reason", None) or error), True
        troubles.say(f"ask {options.edge} how it is", cause, "steering hears nothing of it until it answers")
        if not cause:
            if files.titles is not None and (files.titles != told or time.monotonic() - told_s >= REPEAT_S):
                report["files"] = files.titles
            cause = send(options.steering, report)
            log.add({"ts_ns": time.time_ns(), "health_of": options.edge, "site": options.site, "used": report["health"]["used"],
                     "files": len(report["files"]) if "files" in report else None, "error": cause})  # fmt: skip
            log.flush()
            troubles.say(f"report to {options.steering}", cause, "it is tried again")
            if cause:
                told = None
            elif "files" in report:
                told, told_s = files.titles, time.monotonic()
        if ending.wait(options.interval_ms / 1e3):
            return
