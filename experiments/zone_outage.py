"""A whole zone is cut off under load: does anybody fail, how long does it take, and what does the other zone cost?"""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness import balanced, disturbed, under_fault
from experiments.harness.experiment import Arm, Row
from experiments.harness.generators import COLUMNS
from experiments.harness.stage import Stage
from experiments.harness.under_fault import CHECK_S, EJECT_AFTER, EJECTED_S, RISE
from topologies.emulator import setting

CUT_S, HEALED_S, TIME_S = 3.0, 8.0, 13.0
MARGIN_MS = 200.0


class ZoneOutage(under_fault.UnderFault):
    """Two zones of a site, one nearer than the other; a balancer of the region sends everybody to the nearer one, whose own
    balancer picks an edge. That zone's link is cut, so that packets vanish without a word, and healed later."""

    path, fall = "/objects/4KiB/title", 2
    topology_settings: ClassVar[dict[str, str]] = {"zones": "2", "edges_per_zone": "2", "balancers": "two-tier",
                                                    "zone_rtts": "1ms,6ms"}  # fmt: skip
    repetitions = setting.count("3", "measured trials of each arm", 1, 100)
    most_repetitions = setting.count("6", "so many at most, where trials were disturbed", 0, 100)
    columns: ClassVar[dict[str, str]] = {
        **COLUMNS,
        "moved_ms": "from the cut until the last request due that it reached: failed, or sent to the other zone",
        "failed_after": "failed requests due after the time in which the outage is to be detected",
        "before_p50_ms": "median latency before the cut",
        "during_p50_ms": "median latency after detection, before the zone is back",
        "extra_ms": "the second minus the first",
        "back_ms": "from the end of the outage until the first request due that the zone answered",
    }

    def zones(self) -> list[tuple[str, list[str]]]:
        """Zones with their edges, the nearer one first."""
        found = balanced.site(self.world, self.place())
        return sorted(found.items(), key=lambda item: self.world.path(f"balancer.{self.place()}", item[1][0])[0])

    def question(self) -> str:
        return "What do clients notice when the nearer of two zones is cut off, and what does the farther one cost them?"

    def arms(self) -> list[Arm]:
        return [{"fault": "cut"}]

    def start(self, stage: Stage) -> None:
        self.feed(stage)
        self.balancer = balanced.two_tier(stage, self.place(), "--zone-rule", "nearest", *self.watching())

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        self.make_ready(stage, self.balancer)

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        zone, edges = self.zones()[0]
        load = self.load(stage, self.balancer, TIME_S, f"from {CUT_S}s to {HEALED_S}s cut {zone}.{self.place()}")
        cut_ms, healed_ms, detected_ms = CUT_S * 1e3, HEALED_S * 1e3, CUT_S * 1e3 + self.detection_ms()
        before, during = disturbed.p50_ms(load.rows, 500.0, cut_ms), disturbed.p50_ms(load.rows, detected_ms, healed_ms)
        row: Row = {**load.columns, "moved_ms": disturbed.moved_ms(load.rows, cut_ms),
                    "failed_after": disturbed.failed(load.rows, detected_ms, TIME_S * 1e3),
                    "before_p50_ms": before, "during_p50_ms": during,
                    "back_ms": disturbed.back_ms(load.rows, healed_ms, edges)}  # fmt: skip
        return {**row, "extra_ms": None if before is None or during is None else during - before}

    def detection_ms(self) -> float:
        """How long after the cut somebody may still be sent to the zone: until EJECT_AFTER requests have waited for the
        balancer's patience, or `fall` checks have, whichever comes first."""
        by_requests: float = self.patience + EJECT_AFTER * 1e3 / self.rate
        return min(by_requests, (self.fall + 1) * CHECK_S * 1e3) + MARGIN_MS

    def claims(self) -> list[dict[str, Any]]:
        """Nothing fails that was due after detection (nor before: safe requests are sent once more, to the other zone), and
        those that the farther zone answers take its longer way, once: connections are kept."""
        client, balancer = self.world.first("client").name, f"balancer.{self.place()}"
        (_, near), (_, far) = self.zones()[:2]
        near_ms, far_ms = (self.world.path(balancer, edges[0])[0] for edges in (near, far))
        first_ms = self.world.path(client, balancer)[0]
        extra_ms = far_ms - near_ms
        every = {"fault": "cut"}

        def claim(name: str, metric: str, predicted: float, low: float, high: float, basis: str) -> dict[str, Any]:
            return {"name": name, "metric": metric, "statistic": "median" if "p50" in metric or "extra" in metric else "max",
                    "where": every, "predicted": predicted, "low": low, "high": high, "basis": basis,
                    "tolerance": "from the prediction"}  # fmt: skip

        return [
            claim("no safe request fails after detection", "failed_after", 0, 0, 0, "the other zone answers"),
            claim("no safe request fails at all", "failed", 0, 0, 0, "safe requests are sent once more, in another zone"),
            claim("nobody is sent there after", "moved_ms", self.detection_ms() - MARGIN_MS, 0.5 * self.patience,
                  self.detection_ms(), f"{EJECT_AFTER} failures in a row, or {self.fall} bad checks"),
            claim("before the cut", "before_p50_ms", first_ms + near_ms, (first_ms + near_ms) * 0.98,
                  (first_ms + near_ms) * 1.05 + 2.0, "one round trip to the edge on kept connections"),
            claim("what the farther zone costs", "extra_ms", extra_ms, extra_ms * 0.95 - 1.0, extra_ms * 1.05 + 1.0,
                  "the difference of the round trips to the zones, once"),
            claim("the longest wait", "max_ms", first_ms + self.patience + far_ms, self.patience,
                  2 * (first_ms + far_ms) + self.patience + MARGIN_MS, "the balancer's patience, then the other zone"),
            claim("back", "back_ms", RISE * CHECK_S * 1e3, 0.0, max((RISE + 1) * CHECK_S, EJECTED_S) * 1e3 + 1e3 + MARGIN_MS,
                  f"{RISE} good checks, the last of which may have begun before, and the end of the ejection"),
        ]  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{**figure, "lines": "zone"} for figure in super().figures()]

    def answer(self) -> dict[str, Any]:
        every = {"fault": "cut"}
        return {"template": "For {moved} after the cut requests still go to the zone, and wait at most {most}; then the other "
                            "zone answers all, in {during} instead of {before}.",
                "values": {"moved": {"metric": "moved_ms", "where": every}, "most": {"metric": "max_ms", "where": every},
                           "during": {"metric": "during_p50_ms", "where": every},
                           "before": {"metric": "before_p50_ms", "where": every}}}  # fmt: skip
