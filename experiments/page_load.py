"""Does more bandwidth or less distance make a page load faster? The browser measurements behind SPDY, in shape."""

from __future__ import annotations

import random
from statistics import correlation, linear_regression
from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Stage
from experiments.harness.study import Study
from nodes.page.plan import synthetic
from results import published
from topologies.emulator import setting
from topologies.two_hosts import TwoHosts
from units import bits_per_second, milliseconds


class PageLoad(Study):
    """A trial loads a synthetic page at every rate (RTT 60 ms) or every RTT (5 Mbit/s). The paper's pages are not public: the
    number of objects is fitted to 13 round trips, the work of browser and server to its line at RTT 0; the gains are not."""

    claim = "A page costs some 13 round trips, linearly; more than 5 Mbit/s make it hardly faster."
    paper = "page_load"
    topology = TwoHosts
    topology_settings: ClassVar = {"rtt": "60ms", "rate": "5mbit", "queue": "128KiB"}
    minutes, quick_minutes, bears_ms = 2.5, 0.5, 10.0
    quick: ClassVar = {"repetitions": "1", "rates": "1mbit,2mbit,5mbit,10mbit", "rtts": "20ms,80ms,140ms,200ms"}
    columns: ClassVar = {
        "round_trips": "slope of the load time over the RTT: round trips of a page", "r_squared": "how linear that is",
        "gain_1_2_fraction": "what 2 Mbit/s save over 1", "gain_5_10_fraction": "what 10 Mbit/s save over 5",
    }  # fmt: skip
    rates = setting.words("1mbit,2mbit,3mbit,4mbit,5mbit,6mbit,7mbit,8mbit,9mbit,10mbit", "rates of one sweep")
    rtts = setting.words("20ms,40ms,60ms,80ms,100ms,120ms,140ms,160ms,180ms,200ms", "round-trip times of the other")
    objects = setting.count("66", "objects of the page beside its HTML", 1, 1000)
    late = setting.count("15", "so many of them are found only in the first one (a style sheet)", 0, 999)
    weight = setting.size("268KB", "bytes of the whole page")
    work = setting.duration("370ms", "time that browser and server work, without the network")
    connections = setting.count("6", "connections to the server", 1, 100)

    def question(self) -> str:
        return "Does more bandwidth or less distance make a page load faster?"

    def arms(self) -> list[Arm]:
        return [{"sweep": "rtt"}, {"sweep": "rate"}]

    def start(self, stage: Stage) -> None:
        stage.origin("server")
        stage.page("client", self.page())

    def page(self) -> list[dict[str, Any]]:
        """HTML and objects, of one size each."""
        size = self.weight // (self.objects + 2)
        html, *rest = synthetic("http://server", self.weight - size * self.objects, [size] * self.objects, self.late)
        return [{**html, "url": f"{html['url']}?think={self.work}ms"}, *rest]

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        sweep, times = arm["sweep"], dict[str, float]()
        points = self.rtts if sweep == "rtt" else self.rates
        for point in random.Random(trial).sample(points, len(points)):
            stage.lab.change("client-server", f"delay {milliseconds(point) / 2}ms" if sweep == "rtt" else f"rate {point}")
            loaded = stage.page("client", self.page(), connections=self.connections)
            if not loaded["ok"]:
                return {"ok": False, "error": loaded["error"]}
            times[point] = loaded["page_load_ms"]
            stage.rest("client", "server")
        name, number = ("rtt_ms", milliseconds) if sweep == "rtt" else ("rate_bps", bits_per_second)
        curves = {"here": times.items(), "published": published.read("page_load_curves").points("page_load_ms", sweep)}
        rows = [{"of": of, name: number(at), "page_load_ms": ms} for of, points in curves.items() for at, ms in points]
        stage.keep(sweep, sorted(rows, key=lambda row: (row["of"], row[name])))
        x, y = zip(*((number(point), ms) for point, ms in times.items()), strict=True)
        if sweep == "rtt":
            return {"ok": True, "round_trips": linear_regression(x, y).slope, "r_squared": correlation(x, y) ** 2}
        return {"ok": True, **{f"gain_{a}_{b}_fraction": 1 - times[f"{b}mbit"] / times[f"{a}mbit"]
                               for a, b in ((1, 2), (5, 10)) if {f"{a}mbit", f"{b}mbit"} <= set(times)}}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "series", "name": name, "x": x, "y": "page_load_ms", "by": "sweep", "lines": "of",
                 "title": f"Page load by {name}"} for name, x in (("rtt", "rtt_ms"), ("rate", "rate_bps"))]  # fmt: skip
