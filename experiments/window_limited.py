"""How fast is a flow that may have only so much under way?"""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.flows import Flow, failed, goodput_mbps
from experiments.harness.stage import Stage
from experiments.harness.study import Study, expected
from results.models.slow_start import MSS_BYTES, OVERHEAD_BYTES
from topologies.emulator import setting
from topologies.two_hosts import TwoHosts
from units import bits_per_second, byte_count, milliseconds

LAW = "the segments that fit the window, each round trip; at most the payload's share of the rate"


class WindowLimited(Study):
    """One flow whose receiver advertises no more than a window, over paths of several lengths. After it has begun, its goodput
    is that window each round trip, however fast the path."""

    claim = "A flow carries at most its receiver's window each round trip: 16 KB over 100 ms are 1.31 Mbit/s."
    paper = "window_limited"
    topology = TwoHosts
    topology_settings: ClassVar = {"queue": "1MiB", "rtt": "100ms"}
    minutes, quick_minutes = 3.8, 0.6
    quick: ClassVar = {"repetitions": "1", "warmup": "0", "over": "8s"}
    columns: ClassVar = {"goodput_mbps": "payload acknowledged a second, once the window was full"}
    paths = setting.words("16KiB 100ms 100mbit, 122.1KiB 100ms 10mbit, 65535B 560ms 100mbit",
                          "windows, each with the round-trip time and the rate of its path")  # fmt: skip
    over = setting.duration("20s", "how long a flow is looked at")

    def question(self) -> str:
        return "How fast is a flow that may have only so much under way?"

    def arms(self) -> list[Arm]:
        return [dict(zip(("window", "rtt", "rate"), path.split(), strict=True)) for path in self.paths]

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        stage.lab.change("client-server", f"delay {milliseconds(arm['rtt']) / 2}ms rate {arm['rate']}")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        """Looked at for a whole number of round trips, because what is acknowledged comes in one burst each."""
        rtt_s = milliseconds(arm["rtt"]) / 1e3
        begin_s, over_s = 1 + 8 * rtt_s, max(1, round(self.over / 1e3 / rtt_s)) * rtt_s
        flow = Flow("server", "client", seconds=begin_s + over_s + 0.1, window_bytes=byte_count(arm["window"]))
        (done,) = stage.flows(flow, sample_ms=10).results()
        return {"ok": done["ok"], "error": failed([done]), "goodput_mbps": goodput_mbps(done, begin_s, begin_s + over_s)}

    def laws(self) -> list[dict[str, Any]]:
        found = []
        for arm in self.arms():
            rate_bps, frame = bits_per_second(arm["rate"]), MSS_BYTES + OVERHEAD_BYTES
            round_s = milliseconds(arm["rtt"]) / 1e3 + frame * 8 / rate_bps
            window = byte_count(arm["window"]) // MSS_BYTES * MSS_BYTES
            mbps = min(window * 8 / round_s, rate_bps * MSS_BYTES / frame) / 1e6
            found.append(expected(f"law, {' '.join(arm.values())}", "goodput_mbps", arm, mbps, 0.95 * mbps, 1.05 * mbps,
                                  LAW, "5 %"))  # fmt: skip
        return found

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "series", "name": "flows", "x": "t_s", "y": "goodput_mbps", "by": "window",
                 "title": "Goodput in time"}]  # fmt: skip
