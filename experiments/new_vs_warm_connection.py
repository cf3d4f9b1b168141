"""What does a new connection cost beside a warm one? The worked example of High Performance Browser Networking."""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Experiment, Row, path_leg
from experiments.harness.stage import Stage, StageError
from nodes.origin.generate import sha256
from results.models.slow_start import transfer_time, window_after
from topologies.emulator import setting
from topologies.two_hosts import TwoHosts
from units import show_bytes, show_ms

PUBLISHED = "Grigorik, High Performance Browser Networking, chapter 2: 264 and 96 ms, without serialisation"


class NewVsWarmConnection(Experiment):
    """A client fetches one object on a new connection, and on one that a larger fetch has warmed. The server takes its
    time to think and keeps its congestion window while it is idle (tcp_slow_start_after_idle=0)."""

    topology = TwoHosts
    topology_settings: ClassVar = {"rtt": "56ms", "rate": "100mbit"}
    minutes = 0.5
    size = setting.size("64KB", "size of the object")
    warming = setting.size("200KB", "size of the fetch that warms the connection")
    think = setting.duration("40ms", "time the server thinks before it answers")

    def question(self) -> str:
        rtt_ms, _ = self.world.path("client", "server")
        return (f"How long does {show_bytes(self.size)} take over {show_ms(rtt_ms)} on a new connection, and on a warm "
                f"one, when the server thinks for {show_ms(self.think)}?")  # fmt: skip

    def captures(self) -> tuple[str, ...]:
        return ("client", "server")

    def labels(self) -> dict[str, dict[str, str]]:
        return {"state": {"new": "new connection", "warm": "warm connection"}}

    def arms(self) -> list[Arm]:
        return [{"state": "new"}, {"state": "warm"}]

    def start(self, stage: Stage) -> None:
        stage.lab.node("server").tune({"net.ipv4.tcp_slow_start_after_idle": "0"}, {})
        stage.origin("server", "--think", f"{self.think}ms")

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """Warm: a new connection that has just carried the warming fetch."""
        if arm["state"] == "warm":
            warmed = stage.fetch("client", f"http://server/objects/{self.warming}B/warming", connection="keep")
            if not warmed["ok"]:
                raise StageError(f"could not warm the connection: {warmed['error']}")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        warm = arm["state"] == "warm"
        row = stage.fetch("client", f"http://server/objects/{self.size}B/page", connection="reuse" if warm else "new",
                          sha256=sha256("page", self.size).hex())  # fmt: skip
        if row["ok"] and row["new_connection"] == warm:
            row["unexpected"] = f"the fetch was to be on a {arm['state']} connection and was not"
        return row

    def claims(self) -> list[dict[str, Any]]:
        """The published bands at their settings; the model's band, 3 %, at any other."""
        leg = path_leg(self.world, "client", "server")
        published = {"new": (264.0, 272.0), "warm": (96.0, 106.0)}
        as_published = self.texts == {n: s.default for n, s in self.settings().items()} | {
            n: self.texts[n] for n in ("repetitions", "warmup")
        } and (leg.rtt_ms, leg.rate_bps) == (56.0, 100_000_000)
        found = []
        for state, new in (("new", True), ("warm", False)):
            predicted = transfer_time(
                rtt_ms=leg.rtt_ms, rate_bps=leg.rate_bps, size_bytes=self.size, think_ms=self.think,
                new_connection=new, warm_window=window_after(self.warming),
            ).total_ms  # fmt: skip
            low, high = published[state] if as_published else (0.97 * predicted, 1.03 * predicted)
            found.append({
                "name": f"{state} connection", "metric": "total_ms", "statistic": "median", "where": {"state": state},
                "predicted": round(predicted, 3), "low": low, "high": high,
                "basis": PUBLISHED if as_published else "slow-start model with the window that the warming fetch leaves",
                "tolerance": "the published figure and serialisation" if as_published else "3 %",
            })  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        values = {state: {"metric": "total_ms", "where": {"state": state}} for state in ("new", "warm")}
        size = show_bytes(self.size)
        return {"template": f"{size} take {{new}} on a new connection and {{warm}} on a warm one: {{times}} times as long.",
                "values": {**values, "times": {"ratio": ["new", "warm"]}}}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "topology"},
                {"kind": "ecdf", "metric": "total_ms", "by": "state", "title": "Time to the last byte"},
                {"kind": "waterfall", "by": "state"}, {"kind": "witnesses", "by": "state"}, {"kind": "sequence", "by": "state"},
                {"kind": "predicted"}, {"kind": "links"}]  # fmt: skip
