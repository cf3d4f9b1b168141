"""The command line of bulk flows: a sink, a sender, or a worker that takes orders on stdin for both.

It prints; `sending.py` measures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

from nodes.flow.order import Flow, OrderError, Sending, Sink, parse
from nodes.flow.sending import SAMPLE, carry_out
from nodes.flow.sink import Listening
from nodes.http.daemon import announce
from nodes.http.options import address, positive, quantity
from units import bits_per_second, byte_count, milliseconds, show_bytes

DESCRIPTION = """\
Send one bulk flow over TCP, or take flows and throw them away (--listen).
With --worker, read one order a line from stdin (JSON: {"sink": {host, port, window_bytes, receive_buffer_bytes}} or
{"flows": [{host, port, name, start_s, seconds or size_bytes, congestion_control, pace_bps, send_buffer_bytes,
nagle}, ...], begin_ns, sample_ms}) and write one result a line to stdout."""


def main(argv: list[str]) -> int:
    """Run it; 0 when the flow went well, 1 when it did not, 2 for wrong usage."""
    made = argparse.ArgumentParser(
        prog="longhaul node flow", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  longhaul node flow --to 127.0.0.1:5000 --congestion-control cubic --time 10s")  # fmt: skip
    made.add_argument("--listen", metavar="HOST:PORT", type=quantity(address), help="take flows here")
    made.add_argument("--window", metavar="SIZE", type=positive(byte_count), help="of a sink: the most that it advertises")
    made.add_argument("--to", metavar="HOST:PORT", type=quantity(address), help="send a flow there")
    made.add_argument("--time", metavar="TIME", type=positive(milliseconds), default=10_000.0, help="for so long (10s)")
    made.add_argument("--congestion-control", metavar="NAME", help="of the flow's socket")
    made.add_argument("--pace", metavar="RATE", type=positive(bits_per_second), help="send no faster than this")
    made.add_argument("--name", metavar="NAME", default="flow", help="what a sink is called")
    made.add_argument("--log", metavar="FILE", help="accepted as by all nodes; a flow's samples are in its result")
    made.add_argument("--worker", action="store_true", help="take orders on stdin until it ends")
    options = made.parse_args(argv)
    if sum((options.worker, options.listen is not None, options.to is not None)) != 1:
        print("longhaul: could not begin: give one of --worker, --listen and --to; see longhaul node flow --help",
              file=sys.stderr)  # fmt: skip
        return 2
    try:
        return asyncio.run(_work() if options.worker else _sink(options) if options.listen else _send(options))
    except KeyboardInterrupt:
        return 130


async def _work() -> int:
    """One order, one result, until stdin ends; sinks stay open meanwhile. What cannot be read is answered too."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sinks: list[Listening] = []
    orders = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print(json.dumps({"event": "ready"}), flush=True)
    while line := await orders.readline():
        print(json.dumps(await _answer(line.decode(), sinks.append)), flush=True)
    return 0


async def _answer(line: str, keep: Callable[[Listening], None]) -> dict[str, Any]:
    try:
        order = parse(line)
        if isinstance(order, Sending):
            return {"ok": True, "sample": SAMPLE, "flows": await carry_out(order)}
        sink = Listening(order, asyncio.get_running_loop())
    except OrderError as error:
        return {"ok": False, "error": f"could not read the order: {error}"}
    except OSError as error:
        return {"ok": False, "error": f"could not open the sink: {error.strerror}"}
    keep(sink)
    return {"ok": True, "port": sink.port}


async def _sink(options: argparse.Namespace) -> int:
    host, port = options.listen
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    try:
        sink = Listening(Sink(host, port, options.window), loop)
    except OSError as error:
        print(f"longhaul: could not listen on {host}:{port}: {(error.strerror or '').lower()}; choose another --listen or end "
              "the process that holds it", file=sys.stderr)  # fmt: skip
        return 1
    announce(options.name, f"{host}:{sink.port}")
    await ended.wait()
    return 0


async def _send(options: argparse.Namespace) -> int:
    host, port = options.to
    flow = Flow(host, port, seconds=options.time / 1e3, congestion_control=options.congestion_control, pace_bps=options.pace)
    (done,) = await carry_out(Sending((flow,)))
    if not done["ok"]:
        print(f"longhaul: could not send to {host}:{port}: {done['error']}; is a sink there?", file=sys.stderr)
        return 1
    print(f"{done['goodput_mbps']:.3f} Mbit/s of payload by {done['congestion_control']}, {show_bytes(done['acked_bytes'])} "
          f"acknowledged, {done['retransmits']} segments sent again")  # fmt: skip
    return 0
