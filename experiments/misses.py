"""The nearest edge lacks the file, or died: where does a client with a ranked list get it, and how is that counted?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from experiments.harness.control_plane import ControlPlane
from experiments.harness.experiment import Arm, Experiment, Row, predicted, within
from experiments.harness.needs import Needs
from experiments.harness.stage import Stage
from nodes.origin.generate import sha256
from topologies.emulator import setting
from topologies.internet import Internet

CLIENT, STEERING, ORIGIN = "client.chennai", "steering.virginia", "origin.virginia"
NEAREST, NEXT = "mumbai", "london"
"""Sites in the order of steering's list: the one that the client's network tells of it, and the one with the shortest path."""
SERVES, LACKS, DIED = "serves", "lacks the file", "died a moment ago"


class Misses(Experiment):
    """A client asks steering for a list and goes down it. When the nearest edge has said that it does not have the file,
    steering passes it over, and what comes from the next site counts as missed for content. When it has died and steering has
    not heard of it yet, the client finds out by itself, and what comes from the next site counts as missed for health."""

    topology = Internet
    minutes = 1.5
    repetitions = setting.count("5", "measured trials of each arm", 1, 1000)
    size = setting.size("64KiB", "size of the object")
    columns: ClassVar[Mapping[str, str]] = {
        "whole_ms": "from the wish to the last byte: the list, every try, the transfer",
        "content_fraction": "of the bytes, those missed at rank 0 for content",
        "health_fraction": "of the bytes, those missed at rank 0 for health",
    }

    def question(self) -> str:
        return "What does a client do when its nearest edge lacks the file or died, and what does that cost?"

    def needs(self) -> Needs:
        return Needs(programs=("bird2",))

    def captures(self) -> tuple[str, ...]:
        return (CLIENT,)

    def arms(self) -> list[Arm]:
        return [{"the nearest edge": state} for state in (SERVES, LACKS, DIED)]

    @property
    def title(self) -> str:
        """What is fetched."""
        return f"/objects/{self.size}B/film"

    def start(self, stage: Stage) -> None:
        stage.origin(ORIGIN)
        self.plane = ControlPlane(stage, STEERING)
        self.plane.start(ORIGIN, [self.title])

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """Steering knows what the nearest edge has, and every edge that is to serve has the object on its disk."""
        lacks = arm["the nearest edge"] == LACKS
        self.plane.holds(NEAREST, [] if lacks else [self.title])
        self.plane.routing.wait(f"steering knows what {NEAREST} has", lambda: self.miss() == ("content" if lacks else ""))
        for site in (NEAREST, NEXT):
            stage.control(self.plane.edges[site], "GET", f"http://{self.plane.edges[site]}{self.title}")

    def miss(self) -> str:
        """What steering's list for the client says of rank 0; `unknown` while nobody is on it."""
        decision = self.plane.decision(CLIENT, self.title)
        return str(decision.get("miss", "")) if decision["urls"] else "unknown"

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        """A dead edge is started again after the trial."""
        if arm["the nearest edge"] == DIED:
            stage.faults.kill(self.plane.edges[NEAREST])
        row = stage.fetch(CLIENT, self.plane.url(self.title), ranked=True, sha256=sha256("film", self.size).hex())
        if row["ok"]:
            ranked = row["ranked"]
            failed_ms = sum(one["total_ms"] for one in ranked["tries"] if one["error"])
            row["whole_ms"] = round(ranked["list_ms"] + failed_ms + row["total_ms"], 3)
            for label in ("content", "health"):
                row[f"{label}_fraction"] = float(ranked["miss"] == label)
        return row

    def claims(self) -> list[dict[str, Any]]:
        """Where it comes from by the time it takes, and the label by its fraction of the bytes."""
        placing_ms = 2 * self.world.path(CLIENT, STEERING)[0]
        refused_ms = self.world.path(CLIENT, f"edge.{NEAREST}")[0]
        near, far = (predicted(self.world, CLIENT, f"edge.{site}", self.size).total_ms for site in (NEAREST, NEXT))
        found = []
        expected = {SERVES: (near, 0, 0), LACKS: (far, 1, 0), DIED: (refused_ms + far, 0, 1)}
        for state, (whole_ms, content, health) in expected.items():
            where = {"the nearest edge": state}
            found.append(within(f"whole: {state}", "whole_ms", where, placing_ms + whole_ms, 0.05, 10.0,
                                "two round trips for the list, one for a refusal, and the slow-start model"))  # fmt: skip
            for label, value in (("content", content), ("health", health)):
                for statistic in ("min", "max"):
                    found.append({"name": f"{statistic} {label}: {state}", "metric": f"{label}_fraction", "where": where,
                                  "statistic": statistic, "low": value, "high": value,
                                  "basis": "each byte is counted by why rank 0 did not serve it"})  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        values = {f"t{number}": {"metric": "whole_ms", "where": arm} for number, arm in enumerate(self.arms())}
        return {"template": "With its list a client in Chennai has the object after {t0} from Mumbai, after {t1} from London "
                            "when Mumbai lacks it, and after {t2} from London when the edge in Mumbai has just died.",
                "values": values}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "whole_ms", "by": "the nearest edge", "title": "Time to the last byte"}]
