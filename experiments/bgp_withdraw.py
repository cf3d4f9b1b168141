"""A BGP session goes: how soon do clients move to another site, and what do they lose?"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from experiments.harness.control_plane import ControlPlane, served_by
from experiments.harness.experiment import Arm, Experiment, Row
from experiments.harness.needs import Needs
from experiments.harness.stage import Stage, StageError
from topologies.emulator import setting
from topologies.internet import ANYCAST, Internet

CLIENT, STEERING, ORIGIN = "client.chennai", "steering.virginia", "origin.virginia"
TITLE = "/objects/1KiB/film"
PATIENCE_S = 30.0
MOVES_WITHIN_S = 10.0
"""So long, beside the hold time, a client is watched after its session went: several times what any claim allows."""
LEAST_HOLD_S = 3
"""RFC 4271, section 4.2: a hold time is at least three seconds."""


class BgpWithdraw(Experiment):
    """A client in Chennai fetches a small object again and again. By anycast it is served in London, until London's session
    with its provider is withdrawn, or London's BGP falls silent and its neighbour's hold timer ends it; then by the next best
    path in Mumbai. By a ranked list it is served in Mumbai, which its network tells of its clients, until that session is
    withdrawn and steering hears of it; then in London. Every fetch is a new connection."""

    topology = Internet
    minutes, bears_ms = 4, 20.0
    idle_paths = False
    hold = setting.count("3", "hold time of every session in seconds", LEAST_HOLD_S, 60)
    columns: ClassVar[Mapping[str, str]] = {
        "moved": f"whether the other site served within {MOVES_WITHIN_S:g} s and the hold time of the withdrawal",
        "moved_ms": "from the withdrawal to the beginning of the first fetch that the other site served",
        "failed": "fetches that failed meanwhile",
        "back_ms": "likewise from the announcement to the first site again",
    }

    def question(self) -> str:
        return "When a site's BGP session goes, how soon do clients move, and how many of their requests fail?"

    def needs(self) -> Needs:
        return Needs(programs=("bird2",))

    def labels(self) -> dict[str, dict[str, str]]:
        return {"by": {"anycast": "anycast", "ranked": "ranked list"},
                "session": {"withdrawn": "withdrawn", "silent": "fallen silent"}}  # fmt: skip

    def arms(self) -> list[Arm]:
        return [{"by": "anycast", "session": "withdrawn"}, {"by": "anycast", "session": "silent"},
                {"by": "ranked", "session": "withdrawn"}]  # fmt: skip

    def start(self, stage: Stage) -> None:
        stage.origin(ORIGIN)
        self.plane = ControlPlane(stage, STEERING, address=ANYCAST, hold_s=self.hold)
        self.plane.start(ORIGIN, [TITLE])
        for edge in self.plane.edges.values():
            stage.control(edge, "GET", f"http://{edge}{TITLE}")

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """The client is where it belongs. Raises StageError."""
        site = self.sites(arm)[0]
        if self.until(stage, arm, site)[0] is None:
            raise StageError(f"could not begin: {CLIENT} was not served in {site} within {PATIENCE_S:g} s")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        """Withdraw, follow the client to the other site, announce again, follow it back."""
        first, other = self.sites(arm)
        routing = self.plane.routing
        ends = ("west", "site.london") if arm["by"] == "anycast" else ("isp.chennai", "site.mumbai")
        if arm["session"] == "silent":
            routing.signal(ends[1], signal.SIGSTOP)
        else:
            routing.withdraw(*ends)
        try:
            moved_ms, failed = self.until(stage, arm, other, self.hold + MOVES_WITHIN_S)
        finally:
            if arm["session"] == "silent":
                routing.signal(ends[1], signal.SIGCONT)
            else:
                routing.announce(*ends)
        back_ms, _ = self.until(stage, arm, first)
        return {"ok": True, "moved": moved_ms is not None, "moved_ms": moved_ms, "failed": failed, "back_ms": back_ms}

    def until(self, stage: Stage, arm: Arm, site: str, within_s: float = PATIENCE_S) -> tuple[float | None, int]:
        """Fetch until a site serves: when that fetch began, in ms from now, and how many failed before. None when it does not
        in time."""
        began, failed = time.monotonic(), 0
        while time.monotonic() - began < within_s:
            at_ms = round((time.monotonic() - began) * 1e3, 3)
            if arm["by"] == "anycast":
                row = stage.fetch(CLIENT, f"http://{ANYCAST}{TITLE}", within_s=5)
            else:
                row = stage.fetch(CLIENT, self.plane.url(TITLE), ranked=True, within_s=5)
            if not row["ok"]:
                failed += 1
            elif served_by(row) == f"edge.{site}":
                return at_ms, failed
        return None, failed

    def sites(self, arm: Arm) -> tuple[str, str]:
        """Where the client is served with the session, and without."""
        return ("london", "mumbai") if arm["by"] == "anycast" else ("mumbai", "london")

    def claims(self) -> list[dict[str, Any]]:
        """Withdrawn: within what BGP takes (a second), what steering's reporters take (another), and the fetch under way.
        Silent: what is left of the hold time, of which at most a third is over, and the fetch under way."""
        london, mumbai = (self.world.path(CLIENT, f"edge.{site}")[0] for site in ("london", "mumbai"))
        listing = 2 * self.world.path(CLIENT, STEERING)[0]
        bounds = [(0.0, 1000 + 2 * london), (self.hold * 2e3 / 3 - 500, self.hold * 1e3 + 1000 + 2 * london),
                  (0.0, 2000 + 2 * (listing + 2 * mumbai))]  # fmt: skip
        found: list[dict[str, Any]] = []
        for arm, (low, high) in zip(self.arms(), bounds, strict=True):
            name = f"{arm['by']}, {arm['session']}"
            found.append({"name": f"moves: {name}", "metric": "moved", "statistic": "min", "where": arm, "low": 1, "high": 1,
                          "basis": "the other site is the next best, by BGP and on the list"})  # fmt: skip
            found.append({"name": f"moved: {name}", "metric": "moved_ms", "statistic": "max", "where": arm, "low": None,
                          "high": high, "basis": "BGP, the reporters' interval or the hold time, and the fetch under way"})
            found.append({"name": f"not before: {name}", "metric": "moved_ms", "statistic": "min", "where": arm, "low": low,
                          "high": None, "basis": "two thirds of the hold time are left when a session falls silent"})
            found.append({"name": f"lost: {name}", "metric": "failed", "statistic": "max", "where": arm, "low": 0,
                          "high": 1, "basis": "the one connection under way while the route changes"})  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        values = {f"t{number}": {"metric": "moved_ms", "where": arm} for number, arm in enumerate(self.arms())}
        return {"template": "With anycast the client is served elsewhere {t0} after a session was withdrawn and {t1} after it "
                            f"fell silent (hold time {self.hold} s); by a ranked list {{t2}} after the withdrawal.",
                "values": values}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "moved_ms", "by": "by", "panels": "session", "title": "Until the other site serves"}]
