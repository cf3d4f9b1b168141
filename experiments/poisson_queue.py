"""How long is the queue of packets that arrive by chance at a link?"""

from __future__ import annotations

import random
from itertools import accumulate, takewhile
from typing import Any, ClassVar

from experiments.harness import datagrams
from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Stage
from experiments.harness.study import StudySideBySide, expected
from results.models.queueing import waiting_packets, waits_ms
from topologies.emulator import setting


class PoissonQueue(StudySideBySide):
    """Datagrams of one size arrive at a link at random (Poisson) and leave at its rate. Waiting is what a datagram took beyond
    the delay and its own transmission; packets waiting are that times the arrivals (Little's law). Several links run side by
    side."""

    claim = "At a link with Poisson arrivals of packets of one size, rho^2 / (2 (1 - rho)) packets wait on average."
    source = "the M/D/1 queue of every textbook; Kleinrock, Queueing Systems, volume 1, 1975"
    headline = "packets waiting, 0.7"
    topology_settings: ClassVar = {"pairs": "8", "rate": "1mbit", "rtt": "20ms", "queue": "256KiB"}
    minutes, quick_minutes, bears_ms = 4.6, 1.1, 20.0
    quick: ClassVar = {"loads": "0.5,0.7", "time": "30s"}
    columns: ClassVar = {"waiting_packets": "packets that wait, in the mean over time",
                         "by_recursion": "the same from the moments at which they really left, by Lindley's recursion",
                         "load_fraction": "transmission times the arrivals a second, as they were"}  # fmt: skip
    loads = setting.words("0.5,0.6,0.7,0.8", "loads of the link (rho), separated by commas")
    frame = setting.size("250B", "size of the frames, with Ethernet's header")
    time = setting.duration("60s", "how long packets arrive in one trial")

    @property
    def service_ms(self) -> float:
        """The transmission of one frame."""
        return float(self.frame * 8e3 / self.world.rate)

    def question(self) -> str:
        return "How many packets wait at a link, by its load?"

    def arms(self) -> list[Arm]:
        return [{"load": load} for load in self.loads]

    def measure(self, stage: Stage, arm: Arm, trial: int) -> list[Row]:
        a_second = float(arm["load"]) / self.service_ms * 1e3
        schedules = []
        for number in range(self.side_by_side):
            chance = random.Random(f"{self.world.seed} {trial} {number}")
            steps = (chance.expovariate(a_second) for _ in iter(int, 1))
            schedules.append(list(takewhile(lambda at: at < self.time / 1e3, accumulate(steps))))
        sent = datagrams.send(stage.lab, [(server, client) for client, server in self.world.ends()], self.frame, schedules)
        return [self.row(due_s, *one) for due_s, one in zip(schedules, sent, strict=True)]

    def row(self, due_s: list[float], left_s: list[float], took_ms: list[float | None]) -> Row:
        """What one link did; nothing counts where a packet was lost, or where they did not arrive as chance had it."""
        took = [ms for ms in took_ms if ms is not None]
        if len(took) < len(took_ms) or not took:
            return {"ok": False, "error": f"{len(took_ms) - len(took)} of {len(took_ms)} packets were lost"}
        rate = (len(left_s) - 1) / (left_s[-1] - left_s[0])
        alone_ms = self.world.rtt / 2 + self.service_ms
        mean_ms = sum(took) / len(took) - alone_ms
        due_ms = sum(waits_ms(left_s, self.service_ms)) / len(left_s)
        off = abs(due_ms / max(1e-9, sum(waits_ms(due_s, self.service_ms)) / len(due_s)) - 1)
        return {"ok": True, "unexpected": f"a late sender changed the queue by {off:.0%}" if off > 0.05 else "",
                "waiting_packets": mean_ms * rate / 1e3, "by_recursion": due_ms * rate / 1e3,
                "load_fraction": self.service_ms * rate / 1e3}  # fmt: skip

    def laws(self) -> list[dict[str, Any]]:
        return [expected(f"{words}, {arm['load']}", metric, arm, due := waiting_packets(float(arm["load"])), 0.9 * due,
                         1.1 * due, "M/D/1 queue", "10 %: the chance of some minutes", statistic="mean")
                for arm in self.arms()
                for words, metric in (("packets waiting", "waiting_packets"), ("by recursion", "by_recursion"))]  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        law = [[load, waiting_packets(float(load))] for load in self.loads]
        return [{"kind": "xy", "metric": "waiting_packets", "x": "load", "published": {"": law}}]
