"""Replay a trace of requests through an eviction policy and tell the hit ratios; no network, no disk."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.harness import options
from experiments.harness.progress import Progress
from experiments.harness.status import HOLDS, UsageError
from topologies.emulator.setting import nearest
from units import UnitError, byte_count, show_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodes.edge.simulator.requests import Chunk
    from nodes.edge.simulator.simulation import Result
    from nodes.edge.simulator.trace import Trace

EXAMPLE = "longhaul cache-sim cluster01.oracleGeneral.zst --policy sieve --capacity 10GiB"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("trace", metavar="TRACE", type=Path,
                        help="text with `time id size` in each line, or oracleGeneral; plain, gzip or zstd")  # fmt: skip
    parser.add_argument("--policy", metavar="NAME", default="lru", help="a file of nodes/edge/policies (default lru)")
    parser.add_argument("--admission", metavar="NAME", default="always",
                        help="a file of nodes/edge/policies/admission (default always)")  # fmt: skip
    parser.add_argument("--capacity", metavar="SIZE", required=True, help="bytes of objects kept at most, such as 10GiB")
    parser.add_argument("--format", metavar="NAME", help="text or oracle-general (default: by a look at the file)")
    parser.add_argument("--warm-up", metavar="N", type=int, default=0, help="do not count the first N requests")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """Always 0, unless the trace cannot be read."""
    # numpy takes a fifth of a second to load, and the help of all verbs loads this file
    from nodes.edge.policies.machinery import catalogue
    from nodes.edge.simulator.requests import TraceError, with_next_uses
    from nodes.edge.simulator.simulation import simulate
    from nodes.edge.simulator.trace import FORMATS, Trace

    _known("policy", given.policy, catalogue.policy_names())
    _known("admission", given.admission, catalogue.admission_names())
    if given.format is not None:
        _known("format", given.format, list(FORMATS))
    if given.warm_up < 0:
        raise UsageError(f"could not leave out the first {given.warm_up} requests: that is below zero; write 0 or more")
    capacity_bytes = _capacity(given.capacity)
    trace = Trace(given.trace, given.format)
    try:
        chunks = _watched(iter(trace))
        if catalogue.policy(given.policy).offline:
            chunks = with_next_uses(chunks)
        result = simulate(chunks, given.policy, capacity_bytes, given.admission, warm_up=given.warm_up,
                          on_chunk=_Watch(trace))  # fmt: skip
    except TraceError as error:
        raise UsageError(f"could not read the trace {given.trace}: {error}; see `longhaul cache-sim --help` for what it may "
                         f"be") from error  # fmt: skip
    if not result.as_dict()["requests"]:
        behind = f" behind a warm-up of {given.warm_up}" if given.warm_up else ""
        raise UsageError(f"could not measure the trace {given.trace}: it has no request{behind}; give a longer one")
    print(json.dumps(result.as_dict()) if given.json else _table(result, given.capacity))
    return HOLDS


def _watched(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same, after a look at the first some hundred thousand requests."""
    from nodes.edge.simulator.requests import resized

    for number, chunk in enumerate(chunks):
        odd = None if number else resized(chunk)
        if odd is not None:
            place, key, before, now = odd
            print(f"longhaul: request {place} says {now} B of object {key}, where it had {before} B: an object takes the "
                  "room it had when it was stored, and each request counts with its own size", file=sys.stderr)  # fmt: skip
        yield chunk


class _Watch:
    """Shows how far it has come."""

    def __init__(self, trace: Trace) -> None:
        self._trace, self._progress = trace, Progress(100, sys.stderr, of="part")

    def __call__(self, requests: int) -> None:
        while self._progress.done < int(self._trace.fraction * 100):
            self._progress.step(f"{requests:,} requests")


def _known(what: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise UsageError(f"could not simulate with {what} '{name}': there is no such {what}; {nearest(name, names)}")


def _capacity(text: str) -> int:
    try:
        capacity_bytes = byte_count(text)
    except UnitError as error:
        raise UsageError(f"could not simulate with capacity '{text}': {error}") from error
    if capacity_bytes <= 0:
        raise UsageError(f"could not simulate with capacity '{text}': it holds nothing; write for example 10GiB")
    return capacity_bytes


def _table(result: Result, capacity: str) -> str:
    value: dict[str, Any] = result.as_dict()
    rows = [
        ("policy", value["policy"] + ("" if value["admission"] == "always" else f", admission {value['admission']}")),
        ("capacity", capacity),
        ("requests", f"{value['requests']:,} ({show_bytes(value['requested_bytes'])})"),
        ("object hit ratio", f"{value['object_hit_ratio']:.4f}  ({value['hits']:,} hits)"),
        ("byte hit ratio", f"{value['byte_hit_ratio']:.4f}  ({show_bytes(value['hit_bytes'])})"),
        ("stored", f"{value['stored']:,} objects, {show_bytes(value['stored_bytes'])} written"),
        ("evicted", f"{value['evicted']:,} objects"),
        ("larger than the cache", f"{value['too_large']:,} requests"),
        ("held at the end", f"{value['objects']:,} objects, {show_bytes(value['used_bytes'])}"),
        ("speed", f"{value['requests_per_s']:,.0f} requests/s"),
    ]
    return "\n".join(f"{name:<22} {text}" for name, text in rows)
