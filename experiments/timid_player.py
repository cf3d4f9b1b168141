"""What does a long flow beside it do to a video player that adapts to throughput? "Confused, timid, and unstable"."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.flows import Flow, failed, goodput_mbps
from experiments.harness.stage import Stage
from experiments.harness.study import Study, expected
from topologies.dumbbell import Dumbbell
from topologies.emulator import setting

LADDER = [(2500, 1800), (2100, 1400), (1300, 1000), (1100, 700), (750, 500), (500, 400), (0, 250)]


class TimidPlayer(Study):
    """A player fetches segments over one connection, idle while its buffer is full, so that each begins with a small window.
    A long flow joins it at the bottleneck and leaves. The phases are shorter than in the paper, and so is the buffer, which
    has to be full before the flow begins."""

    claim = "Beside a long flow the player falls far below its fair share of 2.5 Mbit/s, stays there, and recovers afterwards."
    paper = "timid_player"
    topology = Dumbbell
    topology_settings: ClassVar = {"pairs": "2", "rate": "5mbit", "rtts": "2ms", "queue": "151400B", "access": "100mbit"}
    minutes, quick_minutes, bears_ms = 7.7, 1.4, 20.0
    quick: ClassVar = {"repetitions": "1", "segment": "2s", "buffer": "16s", "before": "20s", "beside": "48s", "after": "8s"}
    columns: ClassVar = {
        "contended_kbps": "rate of the segments at the end of the contention: the median of the last five",
        "before_kbps": "rate of the last segment before it", "after_kbps": "the highest rate within 30 s after it",
        "flow_mbps": "goodput of the long flow in the second half of the contention", "stalled_s": "time without a picture",
    }  # fmt: skip
    repetitions = setting.count("2", "measured trials of each arm", 1, 10_000)
    segment = setting.duration("4s", "how long a segment lasts")
    buffer = setting.duration("40s", "what the player keeps at most")
    before = setting.duration("40s", "how long it plays alone")
    beside = setting.duration("150s", "how long the flow is beside it")
    after = setting.duration("30s", "how long it plays alone again")
    congestion = setting.choice("cubic", "congestion control of the flow", "cubic", "reno", "bbr")

    def question(self) -> str:
        return "Which rate does a video player that adapts to throughput keep beside a long flow?"

    def arms(self) -> list[Arm]:
        return [{"flow": self.congestion}]

    def start(self, stage: Stage) -> None:
        stage.origin("sender1")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        begin_s, end_s = self.before / 1e3, (self.before + self.beside) / 1e3
        with stage.playing("receiver1", "http://sender1/objects/{size}B/{number}-{rate}", for_s=end_s + self.after / 1e3,
                           ladder=LADDER, segment_s=self.segment / 1e3, buffer_s=self.buffer / 1e3) as played:  # fmt: skip
            time.sleep(begin_s)
            (flow,) = stage.flows(Flow("sender2", "receiver2", seconds=end_s - begin_s,
                                       congestion_control=arm["flow"])).results()  # fmt: skip
        if not (played["ok"] and flow["ok"]):
            return {"ok": False, "error": played["error"] or failed([flow])}
        stage.keep("segments", played["segments"])
        rates = [(one["at_s"], one["rate_kbps"]) for one in played["segments"]]
        beside = sorted([rate for at_s, rate in rates if begin_s < at_s < end_s][-5:])
        return {"ok": True, "contended_kbps": beside[len(beside) // 2], "stalled_s": played["stalled_s"],
                "before_kbps": [rate for at_s, rate in rates if at_s <= begin_s][-1],
                "after_kbps": max((rate for at_s, rate in rates if end_s < at_s < end_s + 30), default=0),
                "flow_mbps": goodput_mbps(flow, (end_s - begin_s) / 2, end_s - begin_s - 1)}  # fmt: skip

    def laws(self) -> list[dict[str, Any]]:
        """Half of the link would be enough for more: what the player's own table gives for it."""
        fair_kbps = (self.world.rate or 0) / 2e3
        enough = next(rate for above, rate in LADDER if fair_kbps > above)
        return [expected("less than its fair share would allow", "contended_kbps", arm, enough, None, 0.99 * enough,
                         "the player's table for half of the bottleneck", "below it") for arm in self.arms()]  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "series", "name": "segments", "x": "at_s", "y": f"{name}_kbps", "by": "flow",
                 "title": f"Segments in time: {name}"} for name in ("rate", "throughput")]  # fmt: skip
