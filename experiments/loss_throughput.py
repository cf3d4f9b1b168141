"""How much of a long fast path does random loss leave to one flow, by cubic and by BBR?"""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.flows import Flow, failed
from experiments.harness.needs import Needs
from experiments.harness.stage import Stage
from experiments.harness.study import StudySideBySide, expected
from results.models.response import mean_window
from results.models.slow_start import MSS_BYTES, OVERHEAD_BYTES
from topologies.emulator import setting
from units import fraction, show_bps


class LossThroughput(StudySideBySide):
    """One long flow over a path whose data direction loses packets by chance, each for itself. Several such paths run side by
    side; each is a repetition with losses of its own."""

    claim = "Cubic falls tenfold at 0.1 % of loss over 100 Mbit/s and 100 ms; BBR stays near (1 - p) of the rate up to 5 %."
    paper = "loss_throughput"
    headline = "goodput, bbr, 1%, 100mbit"
    bears_ms = 50.0
    topology_settings: ClassVar = {"pairs": "4", "rtt": "100ms"}
    minutes, quick_minutes = 14.0, 1.6
    quick: ClassVar = {"losses": "1%,5%", "pairs": "3", "time": "20s"}
    columns: ClassVar = {"goodput_mbps": "payload acknowledged a second, over the whole life of the flow"}
    congestions = setting.words("cubic,bbr", "congestion controls, separated by commas")
    losses = setting.words("0.001%,0.01%,0.1%,1%,5%,10%", "losses of the data direction, separated by commas")
    time = setting.duration("60s", "how long a flow lives")

    def needs(self) -> Needs:
        return Needs(self.congestions, self.side_by_side * self.world.rate)

    def question(self) -> str:
        return f"How much of {show_bps(self.world.rate)} over {self.world.texts['rtt']} does random loss leave to one flow?"

    def arms(self) -> list[Arm]:
        return [{"congestion": name, "loss": loss, "rate": self.world.texts["rate"]}
                for name in self.congestions for loss in self.losses]  # fmt: skip

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        for client, _ in self.world.ends():
            stage.lab.change(f"hub>{client}", f"loss {arm['loss']}")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> list[Row]:
        flows = [Flow(server, client, seconds=self.time / 1e3, congestion_control=arm["congestion"])
                 for client, server in self.world.ends()]  # fmt: skip
        return [{"ok": one["ok"], "error": failed([one]), "goodput_mbps": one.get("goodput_mbps")}
                for one in stage.flows(*flows).results()]  # fmt: skip

    def laws(self) -> list[dict[str, Any]]:
        """No flow gets more than the rate leaves for payload that arrives the first time. Cubic and reno follow the response
        function within a factor of two where a flow meets 30 losses; BBR keeps 70 % of that up to 5 %, in 150 round trips."""
        found = []
        for arm in self.arms():
            name, loss, rtt_s = arm["congestion"], fraction(arm["loss"]), self.world.rtt / 1e3
            most = self.world.rate / 1e6 * MSS_BYTES / (MSS_BYTES + OVERHEAD_BYTES) * (1 - loss)
            words, where = f"most, {', '.join(arm.values())}", "(1 - p) of what the rate leaves for payload"
            found.append(expected(words, "goodput_mbps", arm, most, None, 1.01 * most, where, "1 %", statistic="max"))
            words = words.replace("most", "law")
            if name == "bbr" and loss <= 0.05 and self.time >= 150 * self.world.rtt:
                found.append(expected(words, "goodput_mbps", arm, most, 0.7 * most, None, where, "70 %"))
            if name in ("cubic", "reno") and loss:
                due = min(most, mean_window(name, loss, rtt_s) * MSS_BYTES * 8e-6 / rtt_s)
                if due * 1e6 / 8 / MSS_BYTES * self.time / 1e3 * loss >= 30:
                    found.append(expected(words, "goodput_mbps", arm, due, due / 2, 2 * due, "RFC 9438, section 5.2",
                                          "a factor of 2"))  # fmt: skip
        return found

    def figures(self) -> list[dict[str, Any]]:
        rate = self.world.texts["rate"]
        drawn = {name: self.published.points("goodput_mbps", "loss", congestion=name, rate=rate) for name in self.congestions}
        return [{"kind": "xy", "metric": "goodput_mbps", "x": "loss", "by": "congestion", "log": "xy", "published": drawn}]
