"""The player's command line: a worker that takes playbacks on stdin, or one playback at once.

It prints; `play.py` plays.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from nodes.client.fetch import Fetcher
from nodes.client.working import work
from nodes.player.adaptation import LadderError, Settings, ladder
from nodes.player.play import Playback, play
from units import UnitError, milliseconds

DESCRIPTION = """\
Play a video of segments that URL names ({size} is a segment's bytes; {number} and {rate} may stand in it, too), choosing each
segment's rate by the throughput of the last ones. With --worker, read one order a line from stdin: {"url": ..., "for_s": 600,
"ladder": [[2500, 1800], ..., [0, 250]], "segment_s": 4, "buffer_s": 240, "estimate_of": 10, "timeout_s": 60}."""

LADDER = "2500:1800,2100:1400,1300:1000,1100:700,750:500,500:400,0:250"
FIELDS = {"url", "for_s", "ladder", "segment_s", "buffer_s", "estimate_of", "timeout_s"}


def main(argv: list[str]) -> int:
    """0 when every segment came, 1 when one did not, 2 for wrong usage."""
    made = argparse.ArgumentParser(
        prog="longhaul node player", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  longhaul node player 'http://127.0.0.1:9000/objects/{size}B/{number}' --for 1min")  # fmt: skip
    made.add_argument("url", metavar="URL", nargs="?")
    made.add_argument("--worker", action="store_true", help="take orders on stdin until it ends")
    made.add_argument("--for", metavar="TIME", dest="for_s", default="1min", help="play so long (default 1min)")
    made.add_argument("--ladder", metavar="ABOVE:RATE,...", default=LADDER,
                      help=f"the rate while the estimate is above that, in kbit/s (default {LADDER})")  # fmt: skip
    made.add_argument("--buffer", metavar="TIME", default="240s", help="how much is kept at most (default 240s)")
    made.add_argument("--segment", metavar="TIME", default="4s", help="how long a segment lasts (default 4s)")
    options = made.parse_args(argv)
    if options.worker:
        return work(_answer)
    try:
        if options.url is None:
            raise LadderError("no URL is given")
        steps = [step.split(":") for step in options.ladder.split(",")]
        found = _carry_out({"url": options.url, "ladder": steps, "for_s": milliseconds(options.for_s) / 1e3,
                            "buffer_s": milliseconds(options.buffer) / 1e3,
                            "segment_s": milliseconds(options.segment) / 1e3})  # fmt: skip
    except (LadderError, UnitError) as error:
        print(f"longhaul: could not play: {error}; see longhaul node player --help", file=sys.stderr)
        return 2
    print(json.dumps(found.as_dict(), indent=1))
    return 0 if found.ok else 1


def _answer(line: str) -> dict[str, Any]:
    try:
        return _carry_out(json.loads(line)).as_dict()
    except ValueError as error:
        return Playback(error=f"could not read the order: {error}").as_dict()


def _carry_out(order: object) -> Playback:
    """One playback as ordered. Raises LadderError."""
    if not isinstance(order, dict):
        raise LadderError("the order is not a JSON object")
    if unknown := sorted(set(order) - FIELDS):
        raise LadderError(f"unknown field {unknown[0]!r}; allowed are {', '.join(sorted(FIELDS))}")
    url = order.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")) or "{size}" not in url:
        raise LadderError(f"the url {url!r} is no http URL with {{size}} in it")
    numbers: dict[str, Any] = {"for_s": 60.0, "segment_s": 4.0, "buffer_s": 240.0, "estimate_of": 10, "timeout_s": 60.0} | {
        name: order[name] for name in FIELDS - {"url", "ladder"} if name in order}  # fmt: skip
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise LadderError(f"{name} {value!r} is not a number above zero")
    settings = Settings(ladder(order.get("ladder") or [step.split(":") for step in LADDER.split(",")]), numbers["segment_s"],
                        numbers["buffer_s"], int(numbers["estimate_of"]))  # fmt: skip
    fetcher = Fetcher()
    try:
        return play(fetcher, url, settings, numbers["for_s"], numbers["timeout_s"])
    finally:
        fetcher.close()
