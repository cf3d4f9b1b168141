"""The command-line options that every daemon has, and how a daemon starts.

It is not a configuration system: an option is wrong or right when the daemon starts, and is not read again.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import re
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from nodes.http import tls_options
from nodes.http.access_log import AccessLog
from nodes.http.application import Application
from nodes.http.congestion import set_congestion_control
from nodes.http.failure import USAGE, Failure
from nodes.http.limits import Limits
from nodes.http.metrics import Metrics
from nodes.http.server import Server
from units import UnitError

TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*", re.ASCII)
"""An sf-token (RFC 8941): what a node may be called, because the name stands in Cache-Status and Via."""


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
    if not TOKEN.fullmatch(text):
        raise ValueError(f"'{text}' is not a name; begin with a letter, then letters, digits and . - _ : /")
    return text


def listen(host: str, port: int, congestion_control: str | None) -> socket.socket:
    """A bound socket. Raises Failure with the kernel's reason."""
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]  # fmt: skip
    except OSError as error:
        raise Failure(f"listen on {where}", f"{host} has no address here", "choose another --listen", USAGE) from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        set_congestion_control(sock, congestion_control)
        sock.bind(target)
        sock.listen(4096)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        remedy = "choose another --listen"
        if error.errno == errno.EADDRINUSE:
            remedy += " or end the process that holds it"
        elif error.errno == errno.EACCES:
            remedy += " with a port above 1023, or run as root"
        raise Failure(f"listen on {where}", os.strerror(error.errno or 0).lower(), remedy) from error
    except Failure:
        sock.close()
        raise
    return sock


def serve(options: argparse.Namespace, build: Callable[[str, Metrics], Application], kind: str) -> int:
    """Listen, build the application inside a running loop, serve until SIGTERM. Returns the exit status."""

    async def run() -> None:
        log = AccessLog(options.log)
        host, port = options.listen
        listening = listen(host, port, options.congestion_control)
        name = options.name or f"{kind}-{listening.getsockname()[1]}"
        metrics = Metrics(name)
        tls = tls_options.server(options, name, host)
        await Server(build(name, metrics), listening, log, metrics, Limits(), tls).run()

    try:
        asyncio.run(run())
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
    return 0
