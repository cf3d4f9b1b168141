"""How large a window does a loss rate leave to reno and to cubic?"""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.flows import Flow, failed, goodput_mbps
from experiments.harness.needs import Needs
from experiments.harness.stage import Stage
from experiments.harness.study import StudySideBySide, expected
from results.models.response import mean_window
from results.models.slow_start import MSS_BYTES
from topologies.emulator import setting
from units import fraction, milliseconds


class ResponseFunction(StudySideBySide):
    """Long flows over paths that lose packets by chance and are faster than the flows ever get. The mean window is their
    goodput times the round-trip time. Several paths run side by side; each is a repetition."""

    claim = "Reno's window is 1.2 / p^0.5 segments; cubic's is larger where the path is long and losses are few, else the same."
    paper = "response_function"
    headline = "reno, a tenth of the loss: ratio of windows"
    bears_ms = 50.0
    topology_settings: ClassVar = {"pairs": "5", "rtt": "100ms", "rate": "300mbit", "queue": "4MiB"}
    minutes, quick_minutes = 18.0, 1.1
    quick: ClassVar = {"points": "reno 1% 100ms,reno 0.1% 100ms", "time": "25s", "settle": "3s"}
    columns: ClassVar = {"window_segments": "goodput times round-trip time, in segments of 1448 bytes",
                         "goodput_mbps": "payload acknowledged a second, after the start"}  # fmt: skip
    points = setting.words("reno 1% 100ms,reno 0.1% 100ms,reno 0.01% 100ms,cubic 1% 100ms,cubic 0.1% 100ms,cubic 0.01% 100ms,"
                           "reno 0.01% 10ms,cubic 0.01% 10ms", "congestion control, loss and RTT of each arm")  # fmt: skip
    time = setting.duration("120s", "how long a flow is looked at")
    settle = setting.duration("10s", "how long it lives before, so that its start is not seen")

    def due(self, arm: Arm) -> float:
        """The window by the response function."""
        return mean_window(arm["congestion"], fraction(arm["loss"]), milliseconds(arm["rtt"]) / 1e3)

    def needs(self) -> Needs:
        fastest_bps = max(self.due(arm) * MSS_BYTES * 8e3 / milliseconds(arm["rtt"]) for arm in self.arms())
        return Needs(tuple(arm["congestion"] for arm in self.arms()), self.side_by_side * fastest_bps)

    def question(self) -> str:
        return "How large a window does a loss rate leave to a flow?"

    def arms(self) -> list[Arm]:
        return [dict(zip(("congestion", "loss", "rtt"), point.split(), strict=True)) for point in self.points]

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        for client, _ in self.world.ends():
            stage.lab.change(f"{client}-hub", f"delay {milliseconds(arm['rtt']) / 2}ms")
            stage.lab.change(f"hub>{client}", f"loss {arm['loss']}")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> list[Row]:
        begin_s, end_s = self.settle / 1e3, (self.settle + self.time) / 1e3
        flows = [Flow(server, client, seconds=end_s, congestion_control=arm["congestion"])
                 for client, server in self.world.ends()]  # fmt: skip
        rows = []
        for one in stage.flows(*flows).results():
            mbps = goodput_mbps(one, begin_s, end_s)
            window = None if mbps is None else mbps * 1e3 * milliseconds(arm["rtt"]) / 8 / MSS_BYTES
            rows.append({"ok": one["ok"], "error": failed([one]), "goodput_mbps": mbps, "window_segments": window})
        return rows

    def laws(self) -> list[dict[str, Any]]:
        """Everywhere within a factor of two of the response function, which knows neither time-outs nor the start."""
        return [expected(f"law, {', '.join(arm.values())}", "window_segments", arm, self.due(arm), self.due(arm) / 2,
                         2 * self.due(arm), "RFC 9438, section 5.2", "a factor of 2") for arm in self.arms()]  # fmt: skip
