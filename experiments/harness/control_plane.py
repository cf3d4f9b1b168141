"""A lab's control plane: edges with their reporters, steering that hears of them, BGP that tells steering where clients are.

It starts daemons and ranks nothing: `nodes/steering` does. The topology has autonomous systems; the routers of its sites are
called `site.NAME`, and each has one edge behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.harness.routing import Routing
from experiments.harness.stage import Stage, StageError

NAME = "cdn.test"
"""The name that DNS answers with an edge (RFC 6761: nobody else has it)."""
SITE = "site."
TELL = "1s"
"""How often a reporter looks: so much later steering hears of a change."""
MEASURE = "5min"
"""How often round trips into all prefixes are measured; those into new ones are at once."""


class ControlPlane:
    """`address` is the anycast address of all sites; empty: there is none."""

    def __init__(self, stage: Stage, steering: str, *, address: str = "", hold_s: int = 9) -> None:
        self._stage, self.steering = stage, steering
        world = stage.lab.topology
        self.edges: dict[str, str] = {}
        """The edge of each site."""
        for link in world.links_info:
            for router, host in ((link.a, link.b), (link.b, link.a)):
                if router.startswith(SITE) and any(node.name == host and node.role == "edge" for node in world.nodes_info):
                    self.edges[router.removeprefix(SITE)] = host
        self.routing = Routing(stage, hold_s=hold_s, address=address,
                               sites={f"{SITE}{site}": edge for site, edge in self.edges.items()})  # fmt: skip

    def start(self, origin: str, titles: Sequence[str], *edge_options: str, ttl: str = "0s") -> None:
        """Start edges in front of an origin node, steering with its DNS, BGP and every reporter; wait until steering knows of
        each edge's health, its files (`titles`) and routes. Raises StageError."""
        stage, where = self._stage, self._stage.lab.address(self.steering)
        stage.daemon(self.steering, "steering", "--listen", f"{where}:80", "--dns", f"{where}:53", "--dns-name", NAME,
                     "--dns-ttl", ttl, *(word for site in self.edges for word in ("--site", site)))  # fmt: skip
        tell: dict[str, tuple[str, ...]] = {}
        for site, edge in self.edges.items():
            # On every address of its own, the anycast one included.
            stage.edge(edge, origin, "--listen", "0.0.0.0:80", *edge_options)
            who = ("--steering", f"http://{where}", "--edge", edge, "--site", site, "--url",
                   f"http://{stage.lab.address(edge)}", "--interval", TELL)  # fmt: skip
            self.holds(site, titles)
            stage.daemon(edge, "edge_reporter", *who, "--rate", "1gbit", "--files", str(self._manifest(site)))
            tell[f"{SITE}{site}"] = (*who, "--measure", MEASURE)
        self.routing.start(tell)
        self.routing.wait("steering knows of every site", partial(self._known, titles[0]))

    def holds(self, site: str, titles: Sequence[str]) -> None:
        """From now on a site's edge says that it has these files; its reporter looks once each interval."""
        self._manifest(site).write_text("".join(f"{title}\n" for title in titles), encoding="utf-8")

    def _manifest(self, site: str) -> Path:
        return self.routing.folder / f"titles-{site}.txt"

    def url(self, title: str) -> str:
        """Where a client asks for the ranked list of a title."""
        return f"http://{self.steering}/steer{title}"

    def decision(self, client: str, title: str) -> dict[str, Any]:
        """What steering would tell a client now, with what was passed over. Raises StageError."""
        found: dict[str, Any] = self._stage.control(
            self.steering, "GET", f"{self.url(title)}?client={self._stage.lab.address(client)}").json()  # fmt: skip
        return found

    def _known(self, title: str) -> bool:
        """Whether steering would name every site to each client, and the listener of its network first."""
        world = self._stage.lab.topology
        listened = {host for one in world.peerings if one.relation == "listener" for host in world.systems[one.a].hosts}
        for node in world.nodes_info:
            if node.role == "client":
                try:
                    urls = self.decision(node.name, title)["urls"]
                except StageError:
                    return False  # nobody has a route yet; a daemon that died is seen by who waits
                first = f"{world.plans[node.name].address}/32 " if node.name in listened else ""
                if len(urls) < len(self.edges) or not urls[0]["reason"].startswith(first):
                    return False
        return True


def served_by(row: dict[str, Any]) -> str:
    """The edge that answered a fetch, by its Cache-Status (RFC 9211); empty when it does not say."""
    said = str((row.get("headers") or {}).get("cache-status") or "")
    return said.rpartition(",")[2].partition(";")[0].strip()
