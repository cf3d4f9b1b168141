"""Build a topology, measure every link, and print specified against achieved."""

from __future__ import annotations

import argparse
import json
from typing import Any

from experiments.harness import labs, options
from experiments.harness.status import HOLDS, INVALID
from topologies.emulator.lab import Lab
from units import show_bps, show_bytes, show_ms

EXAMPLE = "sudo longhaul verify two_hosts --set rtt=76ms --set rate=50mbit"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("topology", metavar="TOPOLOGY", help="a name of `longhaul list`, or a path to a file of yours")
    options.settings(parser)
    options.link(parser)
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when every link is within its tolerance, 3 when one is not."""
    world = labs.topology(given)

    def lab() -> int:
        found = Lab(world, given.link).verify()
        print(json.dumps(found) if given.json else table(found))
        return HOLDS if all(row["ok"] for row in found["links"]) else INVALID

    return labs.sandboxed(lab)


def table(found: dict[str, Any]) -> str:
    """One line per shaped link, plain cables summed up, reasons below."""
    lines = [f"links by {found['backend']}: {found['how'].get('why', '')}", "", _line(HEADS)]
    cables = [row for row in found["links"] if row["backend"] == "veth"]
    lines += [_line(_cells(row)) for row in found["links"] if row not in cables or not row["ok"]]
    if cables:
        worst = max(row["before"]["rtt_ms"]["median"] or 0.0 for row in cables)
        lines.append(f"{len(cables)} plain cables inside sites: RTT at most {show_ms(worst)}")
    wrong = [f"  {row['name']}: {reason}" for row in found["links"] for reason in row["reasons"]]
    if wrong:
        return "\n".join([*lines, "", "invalid:", *wrong])
    said = "every link is within its tolerance (RTT: 0.5 ms or 1 %, beside the echo's own time on the wire; rate: 5 %)"
    return "\n".join([*lines, "", said])


HEADS = ("link", "RTT specified", "achieved", "rate", "a to b", "b to a", " queue")


def _line(cells: tuple[str, ...]) -> str:
    widths = (-28, 13, 11, 12, 13, 13, 0)
    return " ".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
                    for cell, width in zip(cells, widths, strict=True))  # fmt: skip


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    asked, got = row["specified"], row["before"]
    rates = [asked["a_to_b"]["rate_bps"], *((got[way] or {}).get("rate_bps") for way in ("a_to_b", "b_to_a"))]
    achieved_ms = got["rtt_ms"]["median"]
    return (
        row["name"] + (" (estimate)" if row["estimate"] else ""), show_ms(asked["rtt_ms"]),
        "-" if achieved_ms is None else show_ms(achieved_ms), *("-" if rate is None else show_bps(rate) for rate in rates),
        f" {show_bytes(asked['a_to_b']['queue_bytes'])} ({asked['queue_rule']}){_impairments(asked)}",
    )  # fmt: skip


def _impairments(asked: dict[str, Any]) -> str:
    one, other = asked["a_to_b"], asked["b_to_a"]
    words = []
    if one["loss"] or other["loss"]:
        words.append(f"loss {one['loss']:.4%} / {other['loss']:.4%}")
    if one["jitter_ms"] or other["jitter_ms"]:
        words.append(f"jitter ±{show_ms(one['jitter_ms'])} / ±{show_ms(other['jitter_ms'])}")
    return "".join(f"; {word}" for word in words)
