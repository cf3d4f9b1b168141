"""What does a larger initial congestion window save?"""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Stage
from experiments.harness.study import Study, expected
from nodes.origin.generate import sha256
from results.models.slow_start import transfer_time
from topologies.emulator import setting
from topologies.two_hosts import TwoHosts
from units import milliseconds

LAW = "slow start from the initial window, one segment more for each acknowledged, at the rate of the link"


class InitialWindow(Study):
    """A client fetches a page of 18 segments over a slow link, each time on a new connection, from a server whose routes have
    one initial window or another. From 3 they need three round trips after the handshake (3, 6, 9), from 10 two (10, 8), and of
    the last one all but a segment is the same: so a round trip is saved, as published. Pages of 32 to 45 segments save one as
    well, and the transmission of nine segments with it, which at this rate is half a round trip of 200 ms."""

    claim = "Ten segments instead of three at the start save one round trip of a page, a quarter of its time on long paths."
    paper = "initial_window"
    headline = "share of IW 3, 500ms"
    topology = TwoHosts
    topology_settings: ClassVar = {"rate": "1.2mbit", "queue": "256KiB", "rtt": "100ms"}
    minutes, quick_minutes = 4.0, 0.3
    quick: ClassVar = {"rtts": "200ms,500ms", "repetitions": "1", "most_repetitions": "1"}
    precise: ClassVar = {"total_ms": 0.02}
    rtts = setting.words("20ms,50ms,100ms,200ms,500ms,1s,3s", "round-trip times, separated by commas")
    windows = setting.words("3,10", "initial congestion windows in segments, separated by commas")
    size = setting.size("25700B", "size of the page")

    def question(self) -> str:
        return f"How long does a page take with an initial window of {' or '.join(self.windows)} segments?"

    def captures(self) -> tuple[str, ...]:
        return ("client", "server")

    def arms(self) -> list[Arm]:
        return [{"rtt": rtt, "window": window} for rtt in self.rtts for window in self.windows]

    def start(self, stage: Stage) -> None:
        stage.origin("server")

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        stage.lab.change("client-server", f"delay {milliseconds(arm['rtt']) / 2}ms")
        stage.lab.node("server").tune({}, {"initcwnd": int(arm["window"])})

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        row = stage.fetch("client", f"http://server/objects/{self.size}B/page", sha256=sha256("page", self.size).hex())
        stage.rest("client", "server")
        return row

    def laws(self) -> list[dict[str, Any]]:
        found = []
        for arm in self.arms():
            due_ms = transfer_time(rtt_ms=milliseconds(arm["rtt"]), rate_bps=self.world.rate, size_bytes=self.size,
                                   initial_window=int(arm["window"])).total_ms  # fmt: skip
            found.append(expected(f"law, {arm['rtt']}, IW {arm['window']}", "total_ms", arm, due_ms, 0.95 * due_ms - 5,
                                  1.05 * due_ms + 5, LAW, "5 % + 5 ms"))  # fmt: skip
        return found

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "xy", "metric": "total_ms", "x": "rtt", "by": "window", "log": "xy"},
                {"kind": "waterfall", "by": "window", "where": {"rtt": self.rtts[-1]}}]  # fmt: skip
