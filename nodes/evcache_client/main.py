"""The command line of the cache's client: a worker that takes orders on stdin. It measures nothing itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from nodes.evcache_client.orders import Orders, lasting
from nodes.http.options import Parser

DESCRIPTION = """\
Read one order a line from stdin (JSON: op, and optionally id) and write one result a line to stdout, until stdin ends. Orders
are carried out one after another, and while a load goes on:
  open    cache nodes [truth] [settings] [regions]       a cache by this name, with the fields of nodes/evcache/settings.py
  edge    cache url bytes                                an edge by this name, in front of a `longhaul node origin`, whose
                                                         objects of that size are read, filled and counted
  put     cache key [bytes] [value] [count] [policy] [ttl_s]  the time of each, in ms
  fill    cache key count [bytes] [rate]                 those of many keys that are not there, several at once
  rows    cache key [bytes] [count]                      the time of each at the source of truth alone, past the cache
  get     cache key [count] [at_once]                    the time and the source of each, in ms
  write-only cache zones                                 these zones are written and not read, all others serve
  warm    cache zone [peer] [rate_bps]                   fill a zone from another; the result comes when it is done
  repairs cache                                          how many keys wait for repair
  forget  cache key zones                                take a key out of some zones, past the cache
  popular cache requests objects zipf [key] [bytes] [readers] [seed]  reads by Zipf's law that store what they miss
  stats   cache                                          the sums of its memcached's own numbers
  load    cache seconds rate keys [zipf] [writes] [bytes] [seed] [history]   mixed calls at random times; a row for each"""


def main(argv: list[str]) -> int:
    """Work until stdin ends; returns the exit status."""
    made = Parser(prog="longhaul node evcache-client", description=DESCRIPTION, allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter,
                  epilog="""example:\n  longhaul node evcache-client <<'END'
  {"op": "open", "cache": "a", "nodes": "TEA-NODES=zone0=127.0.0.1:11211", "settings": {"local_zone": "zone0"}}
  {"op": "put", "cache": "a", "key": "tea", "count": 10}
  {"op": "get", "cache": "a", "key": "tea-3", "count": 10}\nEND""")  # fmt: skip
    made.add_argument("--name", metavar="NAME", default="evcache-client", help="what values are marked with")
    made.add_argument("--log", metavar="FILE", help="not used: results have everything")
    options = made.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_work(options.name))
    return 0


async def _work(name: str) -> None:
    """One order, one result, with the order's `id`. One that cannot be carried out is answered too, with its reason."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"event": "ready", "name": name}), flush=True)
    orders = Orders(name)

    async def one(line: bytes) -> None:
        print(json.dumps(await orders.carry_out(line)), flush=True)

    async with asyncio.TaskGroup() as running:
        while line := await reader.readline():
            if lasting(line):
                running.create_task(one(line))
            elif line.strip():
                await one(line)
    await orders.close()
