"""How fast does a flow find a rate that has changed under it?"""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.flows import Flow, between, failed, goodput_mbps
from experiments.harness.needs import Needs
from experiments.harness.stage import Stage
from experiments.harness.study import Study
from topologies.emulator import setting
from topologies.two_hosts import TwoHosts

SCHEDULE = "server>client: at 20s rate 20mbit; at 40s rate 10mbit"
WINDOW, SETTLED_S = 5, 5.0
"""Samples over which delivery is looked at (half a second), and how long after a step it is steady."""


class RateStep(Study):
    """One flow over a link whose rate doubles and halves again, by a schedule: how long after the step up it delivers 90 % of
    the new rate, and the round-trip time that its queue makes while nothing changes."""

    claim = "BBR follows a rate that doubles within seconds, and keeps its queue short."
    paper = "rate_step"
    topology = TwoHosts
    bears_ms = 20.0
    topology_settings: ClassVar = {"rate": "10mbit", "rtt": "40ms", "queue": "1MiB", "schedule": SCHEDULE}
    minutes, quick_minutes = 3.5, 1.2
    quick: ClassVar = {"repetitions": "1"}
    columns: ClassVar = {"reached_s": "from the step up until half a second delivered 90 % of the new rate",
                         "steady_rtt_ms": "median of the sender's smoothed round-trip times, 5 s after a step and later",
                         "before_mbps": "payload a second in the 10 s before the step up"}  # fmt: skip
    congestions = setting.words("bbr", "congestion controls, separated by commas")
    time = setting.duration("60s", "how long a flow lives")

    def needs(self) -> Needs:
        return Needs(self.congestions)

    def steps(self) -> list[tuple[float, float]]:
        """(seconds, rate of the data direction in Mbit/s) of the schedule, the beginning included."""
        first = self.world.rate or 0
        moments = [(one.at_ms / 1e3, one.spec.b_to_a.rate_bps or 0) for one in self.world.timeline()]
        if not any(rate > first for _, rate in moments):
            raise setting.SettingError(f"could not see a step up: the schedule has none; write for example {SCHEDULE}")
        return [(at_s, rate / 1e6) for at_s, rate in [(0.0, first), *moments]]

    def question(self) -> str:
        return f"How fast does a flow find a rate that goes {', '.join(f'to {rate:g} Mbit/s' for _, rate in self.steps()[1:])}?"

    def arms(self) -> list[Arm]:
        return [{"congestion": name} for name in self.congestions]

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        running = stage.flows(Flow("server", "client", seconds=self.time / 1e3, congestion_control=arm["congestion"]))
        apart_s = (running.begin_ns - stage.lab.live.began_ns) / 1e9  # the schedule has begun a little before the flow
        (done,) = running.results()
        if not done["ok"]:
            return {"ok": False, "error": failed([done])}
        steps = [(at_s - apart_s, rate) for at_s, rate in self.steps()]
        up_s, up = next(step for before, step in pairwise(steps) if step[1] > before[1])
        seen = done["samples"]
        reached = [after["t_s"] for before, after in zip(seen, seen[WINDOW:], strict=False)
                   if before["t_s"] >= up_s and between(before, after) >= 0.9 * up]  # fmt: skip
        steady = [one["srtt_ms"] for one in seen if all(not -0.2 <= one["t_s"] - at_s < SETTLED_S for at_s, _ in steps)]
        return {"ok": True, "reached_s": reached[0] - up_s if reached else self.time / 1e3,
                "steady_rtt_ms": median(steady), "before_mbps": goodput_mbps(done, up_s - 10, up_s)}  # fmt: skip

    def laws(self) -> list[dict[str, Any]]:
        first = self.steps()[0][1]
        return [{"name": f"delivery before the step, {arm['congestion']}", "metric": "before_mbps", "where": arm,
                 "predicted": 0.956 * first, "low": 0.86 * first, "high": 0.957 * first, "basis": "payload of full segments",
                 "tolerance": "90 % of what the rate leaves for payload"} for arm in self.arms()]  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        common = {"kind": "series", "name": "flows", "x": "t_s", "by": "congestion"}
        return [{**common, "y": "goodput_mbps", "title": "Delivery"}, {**common, "y": "srtt_ms", "title": "Round-trip time"}]
