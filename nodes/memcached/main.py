"""The command line of memcached as a node. It starts memcached, waits for it and stops it; memcached serves."""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import socket
import sys
from pathlib import Path

from nodes.child import Child
from nodes.http.daemon import announce
from nodes.http.failure import USAGE, Failure
from nodes.http.listening import listen
from nodes.http.options import Parser, address, positive, quantity
from nodes.http.origin_address import host_port
from nodes.memcached.command import STORES, Wish, arguments, wrong
from nodes.programs import program
from units import byte_count, show_bytes

DESCRIPTION = """\
Debian's memcached, in memory, on an SSD, or both. The line that tells that it is ready has memcached's process id as `pid`:
to pause it or to kill it, signal that one."""


def main(argv: list[str]) -> int:
    """Run memcached until SIGTERM; returns the exit status."""
    made = Parser(prog="longhaul node memcached", description=DESCRIPTION, allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter,
                  epilog="example:\n  longhaul node memcached --listen 127.0.0.1:11211 --store ram-over-ssd --memory 64MiB "
                         "--ssd /tmp/cache.ext --ssd-size 1GiB")  # fmt: skip
    made.add_argument("--listen", metavar="HOST:PORT", default=("127.0.0.1", 0), type=quantity(address),
                      help="where to accept connections; port 0 lets the kernel choose (127.0.0.1:0)")  # fmt: skip
    made.add_argument("--name", metavar="NAME", help="what the line that tells that it is ready calls it")
    made.add_argument("--log", metavar="FILE", help="not used: memcached keeps no log of its requests")
    made.add_argument("--store", choices=STORES, default="ram", help="where values are kept (default ram)")
    made.add_argument("--memory", metavar="SIZE", dest="memory_bytes", type=positive(byte_count), default=64 * 2**20,
                      help="memory for items (default 64MiB)")  # fmt: skip
    made.add_argument("--ssd", metavar="FILE", type=Path, help="the file for values; it is made anew at each start")
    made.add_argument("--ssd-size", metavar="SIZE", dest="ssd_bytes", type=positive(byte_count), default=0, help="its size")
    made.add_argument("--threads", metavar="N", type=positive(int), default=1, help="memcached's threads (default 1)")
    made.add_argument("--connections", metavar="N", type=positive(int), default=1024, help="at most so many (default 1024)")
    options = made.parse_args(argv)
    try:
        return _run(options)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status


def _run(options: argparse.Namespace) -> int:
    host, port = options.listen
    (tried,) = listen(host, port, None)  # memcached alone would take another way to say that a port is in use
    with tried:
        host, port = tried.getsockname()[:2]
    ssd = None if options.ssd is None else options.ssd.absolute()
    wish = Wish(host, port, options.store, options.memory_bytes, ssd, options.ssd_bytes, options.threads, options.connections)
    cause = wrong(wish)
    if cause:
        raise Failure("start memcached", cause, "see longhaul node memcached --help", USAGE)
    if ssd is not None:
        _room(ssd, wish.ssd_bytes)
    user = getpass.getuser() if os.geteuid() == 0 else None  # else root's memcached would become one who may not write
    memcached = Child("memcached", [program("memcached", "memcached"), *arguments(wish, user)])
    memcached.wait_ready(lambda: _trouble(host, port))
    announce(options.name or f"memcached-{port}", host_port(host, port), pid=memcached.process.pid)
    memcached.wait()
    return 0


def _room(path: Path, size_bytes: int) -> None:
    """Raises Failure when the file cannot be written, or could grow beyond what is free."""
    try:
        with path.open("wb"):
            free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise Failure(f"write the SSD file {path}", (error.strerror or str(error)).lower(), "choose another --ssd") from error
    if free < size_bytes:
        raise Failure(f"keep {show_bytes(size_bytes)} in {path}", f"only {show_bytes(free)} are free there",
                      "choose a smaller --ssd-size or another disk: a full disk would lose values unseen")  # fmt: skip


def _trouble(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=1) as sock:
        sock.sendall(b"mn\r\n")
        answered = sock.recv(16) == b"MN\r\n"
    return "" if answered else "it does not speak the meta commands; version 1.6 or later is needed"
