"""The command-line options that every daemon has, and how a daemon starts.

It is not a configuration system: an option is wrong or right when the daemon starts, and is not read again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from nodes.http import tls_options, workers
from nodes.http.access_log import AccessLog
from nodes.http.daemon import Build, Daemon, announce
from nodes.http.failure import USAGE, Failure
from nodes.http.limits import Limits
from nodes.http.listening import listen
from units import UnitError, byte_count, milliseconds

MOST_WORKERS = 256
"""Each of them is a process that the home has a connection to."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*", re.ASCII)
"""What a node may be called: a token of Cache-Status (RFC 8941, section 3.3.4), and one of Via and CDN-Loop (RFC 9110, 7.6.3),
which may hold neither a colon nor a slash."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors read as all errors here do."""

    def error(self, message: str) -> NoReturn:
        print(f"longhaul: could not start {self.prog.split()[-1]}: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(USAGE)


def parser(name: str, description: str, example: str) -> Parser:
    """A parser with the options that all daemons share."""
    made = Parser(prog=f"longhaul node {name}", description=description, epilog=f"example:\n  {example}",
                  formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)  # fmt: skip
    made.add_argument("--listen", metavar="HOST:PORT", default=("127.0.0.1", 0), type=quantity(address),
                      help="where to accept connections; port 0 lets the kernel choose (127.0.0.1:0)")  # fmt: skip
    made.add_argument("--name", metavar="NAME", type=quantity(_name), help="what fields and logs call this node")
    made.add_argument("--log", metavar="FILE", help="append one JSON line per request to this file")
    made.add_argument("--congestion-control", metavar="NAME",
                      help="TCP congestion control of this daemon's connections, such as cubic, reno, bbr")  # fmt: skip
    made.add_argument("--workers", metavar="N", type=at_most(MOST_WORKERS), default=1,
                      help="serve with so many processes (default %(default)s)")  # fmt: skip
    made.add_argument("--largest-body", metavar="SIZE", dest="largest_body_bytes", type=positive(byte_count),
                      default=Limits.body_bytes, help="refuse larger content of requests with 413 (default 1TiB)")  # fmt: skip
    for what, default_s, help_text in (
        ("header", Limits.header_timeout_s, "refuse a client with 408 whose request's head is not whole after"),
        ("body", Limits.body_timeout_s, "give up a client that owes content of its request and sends none for"),
        ("write", Limits.write_timeout_s, "give up a client that takes nothing of its answer for"),
        ("idle", Limits.idle_timeout_s, "close a connection without a request after"),
    ):
        made.add_argument(f"--{what}-timeout", metavar="TIME", dest=f"{what}_timeout_ms", type=positive(milliseconds),
                          default=default_s * 1e3, help=f"{help_text} this time (default {default_s:g}s)")  # fmt: skip
    tls_options.add_server(made)
    return made


def quantity(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """An argparse type whose message is that of the parser: what was given and what is allowed."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except (UnitError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def positive(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """`quantity`, above zero."""

    def convert(text: str) -> Any:
        value = parse(text)
        if value <= 0:
            raise ValueError(f"'{text}' is not above zero")
        return value

    return quantity(convert)


def at_most(most: int) -> Callable[[str], Any]:
    """A whole number from 1 to `most`."""

    def convert(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise ValueError(f"'{text}' is not a number between 1 and {most}")
        return int(text)

    return quantity(convert)


def directory(text: str) -> Path:
    """A folder, whether it is there or not. Raises ValueError."""
    if not text:
        raise ValueError("'' is no folder; write for example ./cache")
    return Path(text)


def not_negative(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """`quantity`, zero or above."""

    def convert(text: str) -> Any:
        value = parse(text)
        if value < 0:
            raise ValueError(f"'{text}' is below zero")
        return value

    return quantity(convert)


def address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080` or `[::1]:8080`. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and host[0] != "["):
        raise ValueError(f"'{text}' is not HOST:PORT; write for example 127.0.0.1:8080 or [::1]:8080")
    return host.strip("[]"), int(port)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"'{text}' is not a name; begin with a letter, then letters, digits and . - _")
    return text


def limits(options: argparse.Namespace) -> Limits:
    """What the options of `parser` say of sizes and times."""
    return Limits(
        body_bytes=options.largest_body_bytes, header_timeout_s=options.header_timeout_ms / 1e3,
        body_timeout_s=options.body_timeout_ms / 1e3, write_timeout_s=options.write_timeout_ms / 1e3,
        idle_timeout_s=options.idle_timeout_ms / 1e3,
    )  # fmt: skip


def serve(options: argparse.Namespace, build: Build, kind: str, build_worker: Build | None = None) -> int:
    """Listen and serve until SIGTERM; `build` makes the application inside a running loop. Returns the exit status.

    With several workers, `build_worker` makes the application of those that are not the home (default: `build`).
    """
    host, port = options.listen
    try:
        listening = listen(host, port, options.congestion_control, options.workers)
        name = options.name or f"{kind}-{listening[0].getsockname()[1]}"
        tls = tls_options.server(options, name, host)
        AccessLog(options.log).close()
        if options.workers > 1:
            return workers.serve(Daemon(name, options.log, limits(options), tls), listening, build, build_worker or build)
        return Daemon(name, options.log, limits(options), tls).run(build, listening[0], None, announce)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
