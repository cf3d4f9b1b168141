"""Who gets more of a shared bottleneck, BBR or cubic, by how many of the flows are BBR's?"""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean
from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.flows import Flow, failed, goodput_mbps
from experiments.harness.needs import Needs
from experiments.harness.pinging import rtts
from experiments.harness.stage import Stage
from experiments.harness.study import StudySideBySide, expected
from results.models.slow_start import MSS_BYTES, OVERHEAD_BYTES
from topologies.emulator import setting
from units import show_bps


class BbrBesideCubic(StudySideBySide):
    """Long flows share a bottleneck with a queue of two bandwidth-delay products; some are BBR's, the others cubic's. Several
    such bottlenecks run side by side."""

    claim = "One BBR flow among nine of cubic takes several shares; with six to nine BBR flows of ten, cubic is ahead."
    paper = "bbr_beside_cubic"
    headline = "each BBR flow, 1 of 10"
    bears_ms = 30.0
    topology_settings: ClassVar = {"pairs": "2", "rtt": "40ms", "rate": "100mbit", "queue": "1MB"}
    minutes, quick_minutes = 13.0, 0.7
    quick: ClassVar = {"numbers": "10", "time": "30s"}
    columns: ClassVar = {"bbr_mbps": "mean payload a second of the BBR flows", "cubic_mbps": "the same of the cubic flows",
                         "ahead_mbps": "the first less the second", "queue_ms": "mean ping less the base", "all_mbps": "of all"}
    flows = setting.count("10", "flows that share a bottleneck", 1, 100)
    numbers = setting.words("1,3,5,7,9,10", "how many of them are BBR's, separated by commas")
    time = setting.duration("120s", "how long the flows live; their first tenth is not looked at")
    apart = setting.duration("100ms", "how long after each other they begin")

    def needs(self) -> Needs:
        return Needs(("bbr", "cubic"), self.side_by_side * self.world.rate)

    def question(self) -> str:
        return f"Who gets more of {show_bps(self.world.rate)}, BBR or cubic?"

    def arms(self) -> list[Arm]:
        if any(not number.isdecimal() or int(number) > self.flows for number in self.numbers):
            raise setting.SettingError(f"could not set numbers: each is a whole number up to {self.flows}, the flows")
        return [{"bbr_flows": number} for number in self.numbers]

    def measure(self, stage: Stage, arm: Arm, trial: int) -> list[Row]:
        seconds, ends = self.time / 1e3, self.world.ends()
        # Who is who is spread over the order in which they begin.
        counts = [turn * int(arm["bbr_flows"]) // self.flows for turn in range(self.flows + 1)]
        kinds = ["bbr" if after > before else "cubic" for before, after in pairwise(counts)]
        running = stage.flows(*(Flow(server, client, seconds=seconds - start_s, start_s=start_s, congestion_control=kind)
                                for client, server in ends for turn, kind in enumerate(kinds)
                                for start_s in [turn * self.apart / 1e3]), sample_ms=500)  # fmt: skip
        pings = [stage.ping(client, server, seconds) for client, server in ends]
        echoes, results = [ping.results() for ping in pings], running.results()
        return [self.row(results[n * self.flows :][: self.flows], kinds, echoes[n], seconds) for n in range(len(ends))]

    def row(self, results: list[dict[str, Any]], kinds: list[str], echoes: list[dict[str, Any]], seconds: float) -> Row:
        """What happened at one bottleneck."""
        got = [goodput_mbps(one, seconds / 10, seconds) or 0.0 for one in results]
        bbr, cubic = ([mbps for mbps, name in zip(got, kinds, strict=True) if name == kind] for kind in ("bbr", "cubic"))
        return {"ok": not failed(results), "error": failed(results), "bbr_mbps": fmean(bbr) if bbr else None,
                "cubic_mbps": fmean(cubic) if cubic else None,
                "ahead_mbps": fmean(bbr) - fmean(cubic) if bbr and cubic else None, "all_mbps": sum(got),
                "queue_ms": fmean(rtts(echoes, seconds / 10)) - self.world.rtt}  # fmt: skip

    def laws(self) -> list[dict[str, Any]]:
        most = self.world.rate / 1e6 * MSS_BYTES / (MSS_BYTES + OVERHEAD_BYTES)
        return [expected(f"all flows, {', '.join(arm.values())} of BBR", "all_mbps", arm, most, 0.9 * most, 1.005 * most,
                         "what the rate leaves for payload", "-10 / +0.5 %") for arm in self.arms()]  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "xy", "metric": metric, "x": "bbr_flows", "title": words,
                 "published": {"": self.published.points(metric, "bbr_flows")}}
                for metric, words in (("bbr_mbps", "Each BBR flow"), ("cubic_mbps", "Each cubic flow"))]  # fmt: skip
