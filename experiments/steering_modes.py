"""Who brings a client to its nearest edge: a ranked list, DNS with a resolver elsewhere, or anycast?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from experiments.harness.control_plane import NAME, ControlPlane, served_by
from experiments.harness.experiment import Arm, Experiment, Row, predicted, within
from experiments.harness.needs import Needs
from experiments.harness.stage import Stage
from nodes.origin.generate import sha256
from topologies.emulator import setting
from topologies.internet import ANYCAST, Internet

RESOLVER, STEERING, ORIGIN = "resolver.singapore", "steering.virginia", "origin.virginia"
PLAIN, WITH_SUBNET = 53, 5300
"""Ports of the two resolvers: one tells steering nothing of its clients, the other their networks."""
BASIS = "slow-start model to the site that the routes say, after the time to learn its address"


class SteeringModes(Experiment):
    """The same object, stored at three sites, is fetched by two clients. An oracle tells the nearest edge; a ranked list costs
    two round trips to steering; a name is looked up at a resolver in Singapore, which asks steering each time, and tells it of
    the client or not; an anycast address goes where BGP leads. For the client in Tokyo all agree. The one in Chennai has a
    resolver that is nearer to another site, and a shorter AS path to a third, which is five times as far away."""

    topology = Internet
    minutes = 5
    size = setting.size("512KiB", "size of the object")
    # On the Internet 24 bits are usual (RFC 7871, section 11.1). Here a network tells its listener of its clients one by one,
    # and of fewer bits steering knows only the route that every site has: with 30 the client in Chennai is sent to London.
    subnet = setting.count("32", "bits of the client's address that the second resolver tells", 1, 32)
    columns: ClassVar[Mapping[str, str]] = {
        "edge_rtt_ms": "TCP handshake with the edge, by libcurl",
        "placing_ms": "time to learn the edge's address",
        "whole_ms": "from the wish to the last byte, with the time to learn where to ask",
    }

    def question(self) -> str:
        return "Who brings a client to its nearest edge: a ranked list, DNS with a far resolver, or anycast?"

    def needs(self) -> Needs:
        return Needs(programs=("bird2",))

    def clients(self) -> list[str]:
        """Places of the clients."""
        return [node.name.partition(".")[2] for node in self.world.nodes_info if node.role == "client"]

    def captures(self) -> tuple[str, ...]:
        return tuple(f"client.{place}" for place in self.clients())

    def labels(self) -> dict[str, dict[str, str]]:
        return {"by": {"nearest": "nearest edge, by an oracle", "ranked": "ranked list over HTTP",
                       "dns": "DNS, the resolver in Singapore", "dns with subnet": "the same, with the client's subnet",
                       "anycast": "anycast"},
                "client": {place: f"in {place.title()}" for place in self.clients()}}  # fmt: skip

    def arms(self) -> list[Arm]:
        return [{"client": place, "by": by} for place in self.clients() for by in self.labels()["by"]]

    def start(self, stage: Stage) -> None:
        stage.origin(ORIGIN)
        self.plane = ControlPlane(stage, STEERING, address=ANYCAST)
        self.plane.start(ORIGIN, [self.title])
        where = stage.lab.address(RESOLVER)
        for port, bits in ((PLAIN, 0), (WITH_SUBNET, self.subnet)):
            stage.daemon(RESOLVER, "resolver", "--dns", f"{where}:{port}", "--zone", f"{NAME}={stage.lab.address(STEERING)}:53",
                         "--client-subnet", str(bits))  # fmt: skip
        for edge in self.plane.edges.values():
            stage.control(edge, "GET", f"http://{edge}{self.title}")

    @property
    def title(self) -> str:
        """What is fetched."""
        return f"/objects/{self.size}B/film"

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        """The client's own handshake tells how far the edge is; its digest, that it is the object."""
        node, digest = f"client.{arm['client']}", sha256("film", self.size).hex()
        if arm["by"] == "nearest":
            row = stage.fetch(node, f"http://edge.{self.nearest(arm['client'])}{self.title}", sha256=digest)
        elif arm["by"] == "ranked":
            row = stage.fetch(node, self.plane.url(self.title), ranked=True, sha256=digest)
        elif arm["by"] == "anycast":
            row = stage.fetch(node, f"http://{ANYCAST}{self.title}", sha256=digest)
        else:
            port = WITH_SUBNET if arm["by"] == "dns with subnet" else PLAIN
            where = f"{stage.lab.address(RESOLVER)}:{port}"
            row = stage.fetch(node, f"http://{NAME}{self.title}", sha256=digest, resolver=where)
        if row["ok"]:
            ranked = row["ranked"] or {}
            row["placing_ms"] = ranked.get("list_ms") or row["dns_ms"]
            row["edge_rtt_ms"] = round(row["connect_ms"] - row["dns_ms"], 3)
            row["whole_ms"] = round(ranked.get("list_ms", 0.0) + row["total_ms"], 3)
            row["site"] = served_by(row).partition(".")[2]
        return row

    def nearest(self, place: str) -> str:
        """The site with the shortest round trip from a client."""
        sites = [node.name for node in self.world.nodes_info if node.role == "edge"]
        return min(sites, key=lambda edge: self.world.path(f"client.{place}", edge)[0]).partition(".")[2]

    def due(self, arm: Arm) -> tuple[str, float]:
        """The site that an arm leads to, and how long it takes to learn its address, in ms."""
        client, place = f"client.{arm['client']}", arm["client"]
        to_steering, to_resolver = self.world.path(client, STEERING)[0], self.world.path(client, RESOLVER)[0]
        asked = to_resolver + self.world.path(RESOLVER, STEERING)[0]
        return {
            "nearest": (self.nearest(place), 0.0),
            "ranked": (self.nearest(place), 2 * to_steering),
            "dns": ("singapore", asked),
            "dns with subnet": (self.nearest(place), asked),
            "anycast": ({"chennai": "london"}.get(place, self.nearest(place)), 0.0),
        }[arm["by"]]

    def claims(self) -> list[dict[str, Any]]:
        """Each arm reaches the site that routes and look-ups say, and takes the time that this means."""
        found = []
        for arm in self.arms():
            site, placing_ms = self.due(arm)
            client, edge = f"client.{arm['client']}", f"edge.{site}"
            name = f"{arm['client']}, {arm['by']}"
            found.append(within(f"edge in {site}: {name}", "edge_rtt_ms", arm, self.world.path(client, edge)[0], 0.03, 1.0,
                                "round trip to the site that the routes say"))  # fmt: skip
            whole = placing_ms + predicted(self.world, client, edge, self.size).total_ms
            found.append(within(f"whole: {name}", "whole_ms", arm, whole, 0.05, 10.0, BASIS))
        return found

    def answer(self) -> dict[str, Any]:
        arms = {by.replace(" ", "_"): {"client": "chennai", "by": by} for by in self.labels()["by"]}
        values: dict[str, Any] = {name: {"metric": "edge_rtt_ms", "where": arm} for name, arm in arms.items()}
        for name in ("ranked", "anycast"):
            values[f"whole_{name}"] = {"metric": "whole_ms", "where": arms[name]}
        return {"template": "The client in Chennai is {nearest} from its nearest edge. A ranked list brings it to one {ranked} "
                            "away, DNS to {dns}, DNS with the client's subnet to {dns_with_subnet}, anycast to {anycast}. With "
                            "the time to learn where to ask, its object takes {whole_ranked} by the list and {whole_anycast} "
                            "by anycast.", "values": values}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        titles = {"edge_rtt_ms": "How far the edge is", "whole_ms": "Time to the last byte"}
        return [{"kind": "ecdf", "metric": metric, "by": "by", "panels": "client", "title": title}
                for metric, title in titles.items()]  # fmt: skip
