"""The client's command line: a worker that takes orders on stdin, or fetches at once.

It prints; `fetch.py` measures.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from nodes.client import ranked
from nodes.client.fetch import Fetcher
from nodes.client.order import Order, OrderError, parse
from nodes.client.ranked import Shed
from nodes.client.result import Result
from nodes.client.working import work

DESCRIPTION = """\
Fetch URLs and say when each step happened, in milliseconds since the start of each fetch.
With --worker, read one order a line from stdin (JSON: url, and optionally connection new|keep|reuse, method,
expect_sha256, timeout_s, headers, congestion_control, resolve, http_version, insecure, cacert, tls_version,
tls_session new|reuse, tls_groups, early_data, fast_open, ranked, resolver HOST:PORT, id) and write one result a line
to stdout."""

COLUMNS = ("dns_ms", "connect_ms", "tls_ms", "request_sent_ms", "first_byte_ms", "total_ms")


def main(argv: list[str]) -> int:
    """Run the client; 0 when every fetch went well, 1 when one did not, 2 for wrong usage."""
    made = argparse.ArgumentParser(
        prog="longhaul node client", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  longhaul node client http://127.0.0.1:9000/objects/64KiB/a --repeat 3 --reuse")  # fmt: skip
    made.add_argument("urls", metavar="URL", nargs="*")
    made.add_argument("--worker", action="store_true", help="take orders on stdin until it ends")
    made.add_argument("--repeat", type=int, default=1, metavar="N", help="fetch each URL so often (default 1)")
    made.add_argument("--reuse", action="store_true", help="keep the connection between fetches")
    made.add_argument("--congestion-control", metavar="NAME", help="of the client's own socket")
    made.add_argument("--cacert", metavar="FILE", help="trust the CA certificates in this file (PEM) for https")
    made.add_argument("--insecure", action="store_true", help="trust any certificate")
    made.add_argument("--tls-version", metavar="V", help="1.2 or 1.3 alone (default both)")
    made.add_argument("--tls-session", metavar="KIND", default="new",
                      help="new: a full handshake each time; reuse: resume the session of the fetch before")  # fmt: skip
    made.add_argument("--http-version", metavar="V", default="1.1", help="1.0, 1.1, 2, 2-prior-knowledge or 3 (default 1.1)")
    made.add_argument("--fast-open", action="store_true", help="TCP Fast Open, once there is a cookie")
    made.add_argument("--ranked", action="store_true",
                      help="each URL is steering's: fetch what it lists, in order, until one serves")  # fmt: skip
    made.add_argument("--resolver", metavar="HOST:PORT", help="look the URLs' names up here, and measure that too")
    made.add_argument("--json", action="store_true", help="print results as JSON lines")
    options = made.parse_intermixed_args(argv)
    if options.worker:
        return _work()
    if not options.urls or options.repeat < 1:
        problem = "no URL is given" if not options.urls else f"--repeat {options.repeat} is below 1"
        print(f"longhaul: could not fetch: {problem}; see longhaul node client --help", file=sys.stderr)
        return 2
    return _fetch_all(options)


def _work() -> int:
    fetcher = Fetcher()

    def answer(line: str) -> dict[str, Any]:
        try:
            return carry_out(fetcher, parse(line)).as_dict()
        except OrderError as error:
            return Result(url="", error=f"could not read the order: {error}").as_dict()

    status = work(answer)
    fetcher.close()
    return status


def _fetch_all(options: argparse.Namespace) -> int:
    fetcher, failed, shed = Fetcher(), False, Shed()
    if not options.json:
        print(f"{'url':<48} {'status':>6} {'bytes':>12} " + " ".join(f"{name:>15}" for name in COLUMNS) + "  conn")
    for url in options.urls:
        for _ in range(options.repeat):
            text = json.dumps({"url": url, "connection": "reuse" if options.reuse else "new",
                               "congestion_control": options.congestion_control, "cacert": options.cacert,
                               "insecure": options.insecure, "tls_version": options.tls_version,
                               "tls_session": options.tls_session, "ranked": options.ranked,
                               "resolver": options.resolver, "fast_open": options.fast_open,
                               "http_version": options.http_version})  # fmt: skip
            try:
                order: Order = parse(text)
            except OrderError as error:
                print(f"longhaul: could not fetch: {error}; see longhaul node client --help", file=sys.stderr)
                return 2
            result = carry_out(fetcher, order)
            shed.add(result)
            failed = failed or not result.ok
            print(json.dumps(result.as_dict()) if options.json else _row(result), flush=True)
            if result.error and not options.json:
                print(f"longhaul: could not fetch {url}: {result.error}; is the server there?", file=sys.stderr)
    fetcher.close()
    if options.ranked and not options.json:
        print("not from the site of rank 0: " + ", ".join(f"{name} {value}" for name, value in shed.as_dict().items()))
    return 1 if failed else 0


def carry_out(fetcher: Fetcher, order: Order) -> Result:
    """One order, by a ranked list if it says so."""
    return ranked.fetch(fetcher, order) if order.ranked else fetcher.fetch(order)


def _row(result: Result) -> str:
    times = " ".join(f"{'-' if (v := getattr(result, name)) is None else format(v, '.3f'):>15}" for name in COLUMNS)
    kind = {True: "new", False: "reused", None: "-"}[result.new_connection]
    return f"{result.url:<48} {result.http_status or '-':>6} {result.size_bytes:>12} {times}  {kind}"
