"""The command line of a BGP speaker: starts BIRD or joins one, and tells steering what it has learned.

It listens on no port of its own; BIRD's control socket is where it asks.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from nodes.bird.control import ControlError, ask
from nodes.bird.delay import measure
from nodes.bird.replies import ReplyError, learned
from nodes.bird.reporter import Reporter
from nodes.http.access_log import AccessLog
from nodes.http.failure import USAGE, Failure
from nodes.http.options import Parser, positive, quantity
from nodes.programs import program
from nodes.steering.routes import Network
from nodes.steering.telling import Troubles, send
from units import milliseconds

READY_S = 10.0
MEASURE_WITHIN_S = 1.0
STOP_S = 5.0

DESCRIPTION = """\
A BGP speaker by BIRD 2. With --config it starts BIRD, which ends with it; without, it joins one that runs. With --steering
it tells steering the routes that BIRD prefers of those learned by BGP, as the routes of --edge at --site. When BIRD dies
it says so, and steering keeps the routes it knew, marked stale."""
EXAMPLE = """\
longhaul node bird --control /tmp/edge1.ctl --config /tmp/edge1.conf
  longhaul node bird --control /tmp/edge1.ctl --steering http://10.0.0.1:8070 --edge edge1 --site mumbai --url http://10.0.0.6"""


def main(argv: list[str]) -> int:
    """Run until SIGTERM; returns the exit status, 1 when the BIRD that it started ended by itself."""
    made = Parser(prog="longhaul node bird", description=DESCRIPTION, epilog=f"example:\n  {EXAMPLE}", allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    made.add_argument("--control", metavar="SOCKET", type=Path, required=True, help="BIRD's control socket")
    made.add_argument("--config", metavar="FILE", type=Path, help="start BIRD with this configuration")
    made.add_argument("--steering", metavar="URL", help="tell this steering what was learned")
    for name, what in (("edge", "whose routes they are"), ("site", "of which site"), ("url", "and where it serves")):
        made.add_argument(f"--{name}", metavar=name.upper(), help=f"with --steering: {what}")
    made.add_argument("--interval", metavar="TIME", dest="interval_ms", type=quantity(positive(milliseconds)), default=1000.0,
                      help="ask BIRD so often (default 1s)")  # fmt: skip
    made.add_argument("--name", metavar="NAME", default="bird", help="what the log calls this node")
    made.add_argument("--log", metavar="FILE", help="append a JSON line for each report, with what came and what went")
    made.add_argument("--measure", metavar="TIME", dest="measure_ms", type=quantity(positive(milliseconds)),
                      help="with --steering: measure the round trip into each prefix so often, by a TCP handshake with its "
                      "first address, and tell it too")  # fmt: skip
    options = made.parse_args(argv)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ending.set())
    bird: subprocess.Popen[bytes] | None = None
    try:
        reporter, log = _reporter(options), AccessLog(options.log)
        log.name(options.name, None)
        if options.config is not None:
            bird = _start(options)
        print(json.dumps({"event": "ready", "listen": str(options.control), "name": options.edge or options.name}), flush=True)
        _run(options, reporter, bird, ending, log)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
    finally:
        if bird is not None:
            _stop(bird)
    return 0


def _reporter(options: argparse.Namespace) -> Reporter | None:
    if options.steering is None:
        return None
    for name in ("edge", "site", "url"):
        if getattr(options, name) is None:
            raise Failure("report to steering", f"--{name} is not given", "say whose routes they are", USAGE)
    return Reporter(options.edge, options.site, options.url)


def _start(options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """BIRD, answering. Raises Failure."""
    # setpriv (util-linux) has the kernel end it with us; a BIRD that lost its starter would announce on unseen.
    command = ["setpriv", "--pdeathsig", "TERM", "--", program("bird", "bird2"), "-f", "-c", str(options.config),
               "-s", str(options.control)]  # fmt: skip
    bird = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + READY_S
    while True:
        try:
            ask(options.control, "show status")
            return bird
        except ControlError as error:
            if bird.poll() is not None or time.monotonic() > deadline:
                _stop(bird)
                cause = f"it ended with status {bird.returncode}" if bird.poll() else str(error)
                raise Failure(f"start BIRD with {options.config}", cause, "read what it said above") from error
            time.sleep(0.01)


def _stop(bird: subprocess.Popen[bytes]) -> None:
    bird.terminate()
    try:
        bird.wait(STOP_S)
    except subprocess.TimeoutExpired:
        bird.kill()
        bird.wait()


def _run(options: argparse.Namespace, reporter: Reporter | None, bird: subprocess.Popen[bytes] | None,
         ending: threading.Event, log: AccessLog) -> None:  # fmt: skip
    """Ask, tell, wait. Each trouble is said once, until it changes."""
    troubles, delays = Troubles(), Delays(None if options.measure_ms is None else options.measure_ms / 1e3)
    while True:
        dead = bird is not None and bird.poll() is not None
        if reporter is not None:
            cause = _learn(options.control, reporter, delays)
            troubles.say("learn routes from BIRD", cause, "steering keeps those it knows, marked stale; start BIRD again")
            troubles.say(f"report to {options.steering}", _send(options.steering, reporter, log), "it is tried again")
        if dead and bird is not None:
            raise Failure("go on", f"BIRD ended by itself with status {bird.returncode}", "read what it said above")
        if ending.wait(options.interval_ms / 1e3):
            return


class Delays:
    """Round trips into prefixes: those that are new at once, all of them each `every_s` (None: never)."""

    def __init__(self, every_s: float | None) -> None:
        self._every_s, self._all_s, self._asked = every_s, -math.inf, set[Network]()

    def due(self, prefixes: set[Network], now_s: float) -> set[Network]:
        """Which are to be measured now."""
        if self._every_s is None:
            return set()
        if now_s - self._all_s >= self._every_s:
            self._all_s, self._asked = now_s, set()
        new, self._asked = prefixes - self._asked, self._asked | prefixes
        return new


def _learn(control: Path, reporter: Reporter, delays: Delays) -> str:
    try:
        routes = learned(ask(control, "show route all"))
        reporter.measured(measure(delays.due({route.prefix for route in routes}, time.monotonic()), MEASURE_WITHIN_S))
        reporter.learned(routes)
    except (ControlError, ReplyError) as error:
        reporter.failed(str(error))
        return str(error)
    return ""


def _send(steering: str, reporter: Reporter, log: AccessLog) -> str:
    """Send what is due; gives why it did not arrive."""
    report = reporter.due(time.time())
    if report is None:
        return ""
    cause = send(steering, report)
    if not cause:
        came, went = reporter.sent(report)
        log.add({"ts_ns": time.time_ns(), "routes_of": report["edge"], "site": report["site"], "came": came, "went": went,
                 "stale": report.get("stale", "")})  # fmt: skip
        log.flush()
    return cause
