"""What does a new connection cost beside a warm one? The worked example of High Performance Browser Networking."""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row, path_leg
from experiments.harness.stage import Stage, StageError
from experiments.harness.study import Study, expected
from nodes.origin.generate import sha256
from results.models.slow_start import transfer_time, window_after
from topologies.emulator import setting
from topologies.two_hosts import TwoHosts
from units import show_bytes, show_ms


class NewVsWarmConnection(Study):
    """A client fetches one object on a new connection, and on one that a larger fetch has warmed. The server takes its
    time to think and keeps its congestion window while it is idle (tcp_slow_start_after_idle=0)."""

    claim = "64 KB over 56 ms take 264 ms on a new connection and 96 ms on a warm one, when the server thinks for 40 ms."
    paper = "new_vs_warm_connection"
    topology = TwoHosts
    topology_settings: ClassVar = {"rtt": "56ms", "rate": "100mbit"}
    minutes, quick_minutes = 0.5, 0.2
    quick: ClassVar = {"repetitions": "2", "warmup": "1"}
    repetitions = setting.count("10", "measured trials of each arm", 1, 10_000)
    most_repetitions = setting.count("0", "measured trials of an arm at most, where some do not count", 0, 10_000)
    warmup = setting.count("1", "trials of each arm before the measured ones, left out of the answer", 0, 100)
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

    def laws(self) -> list[dict[str, Any]]:
        """At other settings than the book's: the slow-start model, within 3 %."""
        if not self.otherwise():
            return []
        leg, found, basis = path_leg(self.world, "client", "server"), [], "slow start, with the window that the warming leaves"
        for state in ("new", "warm"):
            due_ms = transfer_time(rtt_ms=leg.rtt_ms, rate_bps=leg.rate_bps, size_bytes=self.size, think_ms=self.think,
                                   new_connection=state == "new", warm_window=window_after(self.warming)).total_ms  # fmt: skip
            found.append(expected(f"{state} connection, by the model", "total_ms", {"state": state}, due_ms, 0.97 * due_ms,
                                  1.03 * due_ms, basis, "3 %"))  # fmt: skip
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
