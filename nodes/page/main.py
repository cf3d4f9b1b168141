"""The page load's command line: a worker that takes pages on stdin, or one page from a file.

It prints; `load.py` loads.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nodes.client.order import OrderError
from nodes.client.working import work
from nodes.page.load import Load, load
from nodes.page.plan import PageError, parse

DESCRIPTION = """\
Load a page: a JSON list of objects {"url": ..., "name": ..., "after": [names], "sha256": ...}; an object is asked for when all
that it comes after has arrived. With --worker, read one order a line from stdin: {"page": [...], "connections": 6,
"http_version": "1.1", "timeout_s": 60, "cacert": ..., "insecure": ..., "tls_version": ...}."""

FIELDS = {"page", "connections", "http_version", "timeout_s", "cacert", "insecure", "tls_version"}


def main(argv: list[str]) -> int:
    """0 when the page came whole, 1 when it did not, 2 for wrong usage."""
    made = argparse.ArgumentParser(
        prog="longhaul node page", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  longhaul node page page.json --connections 6")  # fmt: skip
    made.add_argument("file", metavar="FILE", nargs="?", help="the page, as JSON")
    made.add_argument("--worker", action="store_true", help="take orders on stdin until it ends")
    made.add_argument("--connections", type=int, default=6, metavar="N", help="at most so many to a host (default 6)")
    made.add_argument("--http-version", default="1.1", metavar="V", help="1.0, 1.1, 2, 2-prior-knowledge or 3 (default 1.1)")
    made.add_argument("--cacert", metavar="FILE", help="trust the CA certificates in this file (PEM) for https")
    options = made.parse_args(argv)
    if options.worker:
        return work(_answer)
    try:
        if options.file is None:
            raise PageError("no file is given")
        found = _carry_out({"page": json.loads(Path(options.file).read_text("utf-8")), "connections": options.connections,
                            "http_version": options.http_version, "cacert": options.cacert})  # fmt: skip
    except (PageError, OrderError, OSError, ValueError) as error:
        print(f"longhaul: could not load the page: {error}; see longhaul node page --help", file=sys.stderr)
        return 2
    print(json.dumps(found.as_dict(), indent=1))
    return 0 if found.ok else 1


def _answer(line: str) -> dict[str, Any]:
    try:
        return _carry_out(json.loads(line)).as_dict()
    except (PageError, OrderError, ValueError) as error:
        return Load(error=f"could not read the order: {error}").as_dict()


def _carry_out(order: object) -> Load:
    """One page load as ordered. Raises PageError."""
    if not isinstance(order, dict) or (unknown := sorted(set(order) - FIELDS)):
        raise PageError(f"unknown field {unknown[0]!r}; allowed are {', '.join(sorted(FIELDS))}" if isinstance(order, dict) else
                        "the order is not a JSON object")  # fmt: skip
    connections, version = order.get("connections", 6), str(order.get("http_version", "1.1"))
    if not isinstance(connections, int) or not 1 <= connections <= 1000:
        raise PageError(f"connections {connections!r} is no whole number from 1 to 1000")
    if version not in ("1.0", "1.1", "2", "2-prior-knowledge", "3"):
        raise PageError(f"http_version {version!r} is not one of 1.0, 1.1, 2, 2-prior-knowledge, 3")
    timeout_s = order.get("timeout_s", 60.0)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not timeout_s > 0:
        raise PageError(f"timeout_s {timeout_s!r} is not a number above zero")
    trust: dict[str, Any] = {name: order[name] for name in ("cacert", "insecure", "tls_version") if order.get(name) is not None}
    return load(parse(order.get("page")), connections, version, float(timeout_s), **trust)
