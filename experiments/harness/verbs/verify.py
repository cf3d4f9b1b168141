"""Build a topology, measure every link, and print specified against achieved."""

from __future__ import annotations

import argparse
import json
from typing import Any

from experiments.harness import options
from experiments.harness.rundir import ROOT
from experiments.harness.status import FAILURES, HOLDS, INVALID, status_of
from topologies.emulator import sandbox
from topologies.emulator.lab import Lab
from units import show_bps, show_bytes, show_ms

EXAMPLE = "sudo longhaul verify two_hosts --set rtt=76ms --set rate=50mbit"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("topology", metavar="TOPOLOGY")
    options.settings(parser)
    options.link(parser)
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when every link is within its tolerance, 3 when one is not."""
    world = options.topology(given)

    def lab() -> int:
        try:
            found = Lab(world, given.link).verify()
        except FAILURES as error:
            options.complain(error)
            return status_of(error)
        print(json.dumps(found) if given.json else table(found))
        return HOLDS if all(row["ok"] for row in found["links"]) else INVALID

    return sandbox.run(lab, (ROOT,))


def table(found: dict[str, Any]) -> str:
    """One line per shaped link, plain cables summed up, reasons below."""
    lines = [f"links by {found['backend']}: {found['how'].get('why', '')}", "",
             f"{'link':<34} {'RTT specified':>13} {'achieved':>11} {'rate':>12} {'a to b':>13} {'b to a':>13}  queue"]  # fmt: skip
    cables = [row for row in found["links"] if row["backend"] == "veth"]
    for row in found["links"]:
        if row in cables and row["ok"]:
            continue
        asked, got = row["specified"], row["before"]
        rates = [got[way].get("rate_bps") if got.get(way) else None for way in ("a_to_b", "b_to_a")]
        shown = ["-" if rate is None else show_bps(rate) for rate in rates]
        rate = asked["a_to_b"]["rate_bps"]
        lines.append(f"{row['name'] + (' (estimate)' if row['estimate'] else ''):<34} {show_ms(asked['rtt_ms']):>13} "
                     f"{show_ms(got['rtt_ms']['median']):>11} {'-' if rate is None else show_bps(rate):>12} {shown[0]:>13} "
                     f"{shown[1]:>13}  {show_bytes(asked['a_to_b']['queue_bytes'])} ({asked['queue_rule']})")  # fmt: skip
    if cables:
        worst = max(row["before"]["rtt_ms"]["median"] for row in cables)
        lines.append(f"{len(cables)} plain cables inside sites: RTT at most {show_ms(worst)}")
    wrong = [f"  {row['name']}: {reason}" for row in found["links"] for reason in row["reasons"]]
    lines += (
        ["", "every link is within its tolerance (RTT: 0.5 ms or 1 %; rate: 5 %)"]
        if not wrong
        else ["", "invalid:", *wrong]
    )
    return "\n".join(lines)
