"""The generator's command line: reads options, sends, writes the records, prints what they say together."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

from nodes.http import tls_options
from nodes.http.failure import USAGE, Failure
from nodes.http.options import Parser, at_most, not_negative, positive, quantity
from nodes.load.arrivals import OPEN, due
from nodes.load.sending import How, Sender, split
from nodes.load.summary import first_errors, summary
from nodes.load.targets import MARK, targets
from units import milliseconds

MOST_REQUESTS, MOST_CONNECTIONS, MOST_OBJECTS = 1_000_000, 900, 10_000_000
"""Records are kept until the end; select(2), whose timeouts are exact where epoll's are whole ms, takes 1024 files."""

CLOSED = "closed"

DEFAULTS = {"clients": 1, "think_ms": 0.0, "requests": 100_000, "objects": 1000, "zipf": 1.0}
"""Of options that are refused where they would mean nothing."""

DESCRIPTION = """\
Send requests and record each of them. Open loop (--arrivals poisson, fixed or burst): requests are due at times that no
answer changes, and latency counts from when a request was due, so that what a slow server delays is not left out. Closed
loop (--arrivals closed): --clients clients, each of which asks again when it has its answer. It ends after --time, or
after --requests requests, and when the last answer is there. It prints one JSON object: what the records say together."""
EXAMPLE = """\
longhaul node load --url http://127.0.0.1:8080/objects/64KiB/tea --rate 100/s --time 10s
  longhaul node load --url 'http://127.0.0.1:8080/objects/64KiB/{}' --objects 1000 --zipf 0.9 --arrivals closed --clients 16"""


def main(argv: list[str]) -> int:
    """Run the generator; 0 when it did what was asked, however the server answered, 1 when it could not, 2 for usage."""
    options = _parser().parse_args(argv)
    try:
        _check(options)
        tls = tls_options.client(options)
        file = _records(options.log)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        found = runner.run(_run(options, tls))
    if file is not None:
        with file:
            file.writelines(json.dumps(row) + "\n" for row in found["rows"])
    print(json.dumps({"event": "done", **summary(found["rows"]), "errors": first_errors(found["rows"]),
                      "began_ns": found["began_ns"], "stopped": found["stopped"]}), flush=True)  # fmt: skip
    return 0


async def _run(options: argparse.Namespace, tls: Any) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    began_ns = time.monotonic_ns()
    if options.wait:
        print(json.dumps({"event": "ready", "name": options.name}), flush=True)
        word = await loop.run_in_executor(None, sys.stdin.readline)
        began_ns = int(word or "0")  # an end of stdin: whoever started it is gone
        if not began_ns:
            return {"rows": [], "began_ns": 0, "stopped": True}
    # the loop's clock is CLOCK_MONOTONIC, as the one that times are told by
    sender = Sender(How(options.method, options.timeout_ms / 1e3, options.connections, options.connection == "keep",
                        options.congestion_control), tls, began_ns / 1e9)  # fmt: skip
    urls = targets(options.url, options.objects, options.zipf, options.seed)
    seconds = options.time_ms / 1e3
    if options.arrivals == CLOSED:
        work = sender.closed_loop(options.clients, options.think_ms / 1e3, seconds, options.requests, urls)
    else:
        work = sender.open_loop(due(options.arrivals, options.rate or 0.0, options.seed, seconds, options.requests), urls)
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    gc.disable()
    try:
        await task
        stopped = False
    except asyncio.CancelledError:
        stopped = True
    finally:
        gc.enable()
        sender.close()
    return {"rows": [record.as_dict() for record in sender.records], "began_ns": began_ns, "stopped": stopped}


def _parser() -> argparse.ArgumentParser:
    made = Parser(prog="longhaul node load", description=DESCRIPTION, epilog=f"example:\n  {EXAMPLE}", allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = made.add_argument
    add("--url", required=True, type=quantity(_url), help=f"what to ask for; {MARK} in it is the rank of an object")
    add("--arrivals", choices=(*OPEN, CLOSED), default="poisson",
        help="poisson: gaps by chance; fixed: equal gaps; burst: all at once; closed: clients that wait (default %(default)s)")
    add("--rate", metavar="RATE", type=quantity(per_second), help="of poisson and fixed, such as 100/s")
    add("--clients", metavar="N", type=at_most(MOST_CONNECTIONS), help="of closed (default 1)")
    add("--think", metavar="TIME", dest="think_ms", type=not_negative(milliseconds),
        help="of closed: wait so long between an answer and the next request (default 0ms)")  # fmt: skip
    add("--time", metavar="TIME", dest="time_ms", type=positive(milliseconds), default=10_000.0,
        help="nothing is due after this time (default 10s)")  # fmt: skip
    add("--requests", metavar="N", type=at_most(MOST_REQUESTS), help="at most so many (default 100000)")
    add("--timeout", metavar="TIME", dest="timeout_ms", type=positive(milliseconds), default=10_000.0,
        help="give a request up after this time (default 10s)")  # fmt: skip
    add("--connections", metavar="N", type=at_most(MOST_CONNECTIONS), default=256,
        help="to one server at most; what finds none free waits (default %(default)s)")  # fmt: skip
    add("--connection", choices=("keep", "new"), default="keep", help="keep connections, or a new one for each request")
    add("--method", choices=("GET", "HEAD"), default="GET", help="of all requests (default %(default)s)")
    add("--objects", metavar="N", type=at_most(MOST_OBJECTS), help=f"how many {MARK} can be (default 1000)")
    add("--zipf", metavar="S", type=quantity(_exponent), help="rank k is asked for in proportion to 1/k^S (default 1)")
    add("--seed", metavar="N", type=int, default=1, help="of arrivals and objects (default %(default)s)")
    add("--congestion-control", metavar="NAME", help="TCP congestion control of its connections, such as cubic, bbr")
    add("--name", metavar="NAME", default="load", help="what it calls itself when it is ready (with --wait)")
    add("--log", metavar="FILE", help="write a record of each request to this file, JSON lines; what it held is lost")
    add("--wait", action="store_true",
        help="say when ready, and begin at the CLOCK_MONOTONIC time in ns that is read from stdin")  # fmt: skip
    tls_options.add_client(made)
    return made


def _check(options: argparse.Namespace) -> None:
    """What options must be together. Raises Failure."""
    kind = options.arrivals
    needed = {"poisson": ("rate", "100/s"), "fixed": ("rate", "100/s"), "burst": ("requests", "200")}
    if kind in needed and getattr(options, needed[kind][0]) is None:
        name, example = needed[kind]
        raise Failure("send requests", f"--arrivals {kind} has no --{name}", f"add it, such as --{name} {example}", USAGE)
    idle = {"--rate": (options.rate, kind in (CLOSED, "burst")), "--clients": (options.clients, kind != CLOSED),
            "--think": (options.think_ms, kind != CLOSED), "--objects": (options.objects, MARK not in options.url),
            "--zipf": (options.zipf, MARK not in options.url)}  # fmt: skip
    for name, (value, means_nothing) in idle.items():
        if value is not None and means_nothing:
            beside = f"a URL without {MARK}" if name in ("--objects", "--zipf") else f"--arrivals {kind}"
            raise Failure("send requests", f"{name} means nothing beside {beside}", "leave one of them out", USAGE)
    for name, value in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def _records(path: str | None) -> IO[str] | None:
    if path is None:
        return None
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise Failure(f"write the records {path}", (error.strerror or str(error)).lower(), "name a file with --log") from error


def per_second(text: str) -> float:
    """A rate of requests from `100/s`. Raises ValueError."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)/s", text.strip())
    if not match or not 0.0 < float(match[1]) <= 1e6:
        raise ValueError(f"'{text}' is not a rate between 0 and 1000000 a second; write for example 100/s")
    return float(match[1])


def _exponent(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 10.0:
        raise ValueError(f"'{text}' is not within 0 and 10")
    return value


def _url(text: str) -> str:
    split(text.replace(MARK, "1"))
    if not text.isascii() or any(one <= " " for one in text):
        raise ValueError(f"'{text}' is not a URL")
    return text
