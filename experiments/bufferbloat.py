"""What does a long flow do to everybody's ping, by the length of the queue that it fills?"""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.flows import Flow, failed
from experiments.harness.needs import Needs
from experiments.harness.pinging import rtts
from experiments.harness.stage import Stage
from experiments.harness.study import StudySideBySide, expected
from results.models.slow_start import MSS_BYTES, OVERHEAD_BYTES
from results.statistics import quantile
from topologies.emulator import setting
from units import bits_per_second


class Bufferbloat(StudySideBySide):
    """A long flow to a home whose line has a queue of some packets, and `ping` over the same line, two echoes in it at most, as
    each takes the place of a packet; then a page is fetched beside the flow. Several such homes run side by side."""

    claim = "Reno and cubic fill the queue: ping rises by its whole length over the rate. BBR leaves it mostly empty."
    paper = "bufferbloat"
    headline = "median ping, bbr over reno, 1.5mbit"
    topology_settings: ClassVar = {"pairs": "3", "rtt": "20ms", "rate": "100mbit", "queue": "256KiB"}
    minutes, quick_minutes, bears_ms = 9.5, 1.1, 50.0
    quick: ClassVar = {"lines": "10mbit 100", "congestions": "reno,bbr", "time": "15s", "settle": "6s", "page": "0B"}
    columns: ClassVar = {"ping_p95_ms": "95th percentile of ping", "ping_median_ms": "its median", "page_ms": "a page's time"}
    lines = setting.words("1.5mbit 20,1.5mbit 100,10mbit 20,10mbit 100", "rate, and queue in packets, of each line")
    congestions = setting.words("reno,cubic,bbr", "congestion controls of the flow, separated by commas")
    time = setting.duration("20s", "how long ping is looked at; longer where reno's cycle is")
    settle = setting.duration("10s", "how long the flow lives before, so that its queue is there")
    page = setting.size("177669B", "size of the page; 0B: none is fetched")

    def needs(self) -> Needs:
        return Needs(self.congestions)

    def ceiling_ms(self, arm: Arm) -> float:
        queue_ms = (int(arm["queue"]) + 1) * (MSS_BYTES + OVERHEAD_BYTES) * 8e3 / bits_per_second(arm["rate"])
        return float(self.world.rtt) + queue_ms

    def question(self) -> str:
        return "How long does a ping take beside a long flow?"

    def arms(self) -> list[Arm]:
        return [{"rate": line.split()[0], "queue": line.split()[1], "congestion": name}
                for line in self.lines for name in self.congestions]  # fmt: skip

    def start(self, stage: Stage) -> None:
        for _, server in self.world.ends() if self.page else ():
            stage.origin(server)

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        for client, _ in self.world.ends():
            stage.lab.change(f"hub>{client}", f"rate {arm['rate']} queue {arm['queue']}packets")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> list[Row]:
        settle_s, ends = self.settle / 1e3, self.world.ends()
        look_s = max(self.time, 0.53 * int(arm["queue"]) * self.ceiling_ms(arm)) / 1e3  # reno climbs by a segment a round trip
        page_s = 4 * len(ends) * self.page * 8 / bits_per_second(arm["rate"])
        running = stage.flows(*(Flow(server, client, settle_s + look_s + page_s, congestion_control=arm["congestion"])
                                for client, server in ends))  # fmt: skip
        pings = [stage.ping(client, server, settle_s + look_s, max(100, self.ceiling_ms(arm) / 2)) for client, server in ends]
        heard = [rtts(ping.results(), settle_s) for ping in pings]
        pages = [stage.fetch(client, f"http://{server}/objects/{self.page}B/page") if self.page else {"ok": True}
                 for client, server in ends]  # fmt: skip
        return [{"ok": flow["ok"] and page["ok"], "error": failed([flow]) or page.get("error"), "page_ms": page.get("total_ms"),
                 "ping_p95_ms": quantile(echoes, 0.95), "ping_median_ms": quantile(echoes, 0.5)}
                for flow, echoes, page in zip(running.results(), heard, pages, strict=True)]  # fmt: skip

    def laws(self) -> list[dict[str, Any]]:
        """Where the flow fills the queue, ping's ceiling is the base and the queue's length over the rate."""
        return [expected(f"ping's 95th percentile, {', '.join(arm.values())}", "ping_p95_ms", arm, most := self.ceiling_ms(arm),
                         0.9 * most, 1.05 * most, "base + queue / rate", "-10 / +5 %")
                for arm in self.arms() if arm["congestion"] != "bbr"]  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "ping_median_ms", "by": "congestion", "panels": "queue", "title": "Median ping"}]
